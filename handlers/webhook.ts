import { dropBody, readBoundedBody } from './bounded-body.ts';
import type { HandlerOptions, SingleDefinition } from './definition.ts';
import type { HandlerEvent, HandlerInput, Json } from './handler.ts';
import { RESULT_LIMIT } from './limits.ts';
import { dead, endWith, type Result } from './outcome.ts';
import { retryAfterMs } from './retry-after.ts';
import { signatureHeader, toSigningKey } from './webhook-signature.ts';

export interface WebhookOptions extends HandlerOptions {
  /** `whsec_…`, or a list of them while one is replaced: the new one first. @default the calls are not signed */
  secret?: string | readonly string[];
}

interface Target {
  url: string;
  keys: readonly Buffer[];
}

const DAY_MS = 86_400_000;
const SENDER = 'the webhook';

/**
 * Hands each event to a program in any language: a POST of JSON, signed as Standard Webhooks. Its status decides how the
 * attempt ends (docs/handlers.md). The receiver may get an event twice, with the same `webhook-id`.
 *
 * @example report: webhook('https://example.org/hooks/report', { secret: 'whsec_…', attempts: 10 })
 */
export function webhook(url: string, options: WebhookOptions = {}): SingleDefinition {
  // A secret that a setting lacks must not lead to calls that nobody signed.
  if ('secret' in options && options.secret === undefined) throw new TypeError('The secret of a webhook is undefined.');
  const { secret = [], ...policy } = options;
  const target = { url: checkUrl(url), keys: [secret].flat().map(toSigningKey) };
  return { ...policy, handle: (event) => deliver(target, event) };
}

function checkUrl(url: string): string {
  const parsed = URL.parse(url);
  if (!parsed || !['http:', 'https:'].includes(parsed.protocol)) {
    throw new TypeError('The address of a webhook cannot be used: expected an absolute URL with http or https.');
  }
  // fetch would refuse it at each call, with the URL in its message.
  if (parsed.username === '' && parsed.password === '') return parsed.href;
  throw new TypeError('The address of a webhook has a user or a password: expected a secret to sign with instead.');
}

async function deliver(target: Target, event: HandlerInput): Promise<Result> {
  const { signal } = event;
  const body = toBody(event);
  const headers = toHeaders(target, event, body);
  // A redirect may lead to an inside address.
  const response = await fetch(target.url, { method: 'POST', headers, body, signal, redirect: 'manual' });
  try {
    return await toResult(event, response);
  } finally {
    await dropBody(response);
  }
}

/** The payload goes in as it was sent: parsed and written again, an integer of 20 digits would be another. */
function toBody({ id, kind, key, attempt, createdAt, payloadText = 'null' }: HandlerEvent): string {
  const members = JSON.stringify({ id, kind, key: key ?? null, attempt, createdAt });
  return `${members.slice(0, -1)},"payload":${payloadText}}`;
}

function toHeaders({ keys }: Target, event: HandlerInput, body: string): Record<string, string> {
  const id = `event-${event.installationId}-${event.id}`;
  const timestamp = Math.floor(Date.now() / 1_000);
  return {
    'Content-Type': 'application/json',
    Accept: 'application/json',
    'Accept-Encoding': 'identity',
    'Idempotency-Key': id,
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    ...event.trace,
    ...(keys.length > 0 && { 'webhook-signature': signatureHeader({ id, timestamp, body }, keys) }),
  };
}

async function toResult({ kind }: HandlerEvent, response: Response): Promise<Result> {
  const { ok, status } = response;
  const answer = `${SENDER} answered ${status}`;
  if ([408, 409, 425, 429].includes(status) || status >= 500) {
    const retryMs = retryAfterMs(response, DAY_MS);
    return endWith({ failure: answer, ...(retryMs !== undefined && { retryMs }) });
  }
  if (!ok) return dead(answer);
  const text = (await readBoundedBody(response, { maxBytes: RESULT_LIMIT, sender: SENDER })).trim();
  if (text === '') return null;
  try {
    const value = JSON.parse(text) as Json;
    // Like the payload, the value is kept as it was sent.
    return kind === 'word' ? value : endWith({ valor: text });
  } catch (cause) {
    throw new Error(`${answer} with a body that is no JSON`, { cause });
  }
}
