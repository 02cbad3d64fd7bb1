import { createHmac } from 'node:crypto';

/** What Standard Webhooks signs: all three change the signature. */
export interface SignedMessage {
  id: string;
  /** Seconds since 1970, of this attempt: a receiver refuses what is minutes old. */
  timestamp: number;
  body: string;
}

/** The key in a secret of Standard Webhooks, `whsec_` and base64 of 24 to 64 bytes. The error does not show it. */
export function toSigningKey(secret: unknown): Buffer {
  const [, base64] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(String(secret)) ?? [];
  const key = Buffer.from(base64 ?? '', 'base64');
  if (key.length >= 24 && key.length <= 64) return key;
  throw new TypeError('The secret of a webhook cannot be used: expected whsec_ and base64 of 24 to 64 bytes.');
}

/** The header `webhook-signature`: one signature for each key, so that a receiver may still have the one before. */
export function signatureHeader({ id, timestamp, body }: SignedMessage, keys: readonly Buffer[]): string {
  const sign = (key: Buffer) => createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return keys.map((key) => `v1,${sign(key)}`).join(' ');
}
