import { defineHandlers } from '../handlers/define-handlers.ts';
import type { Handlers } from '../handlers/handlers.ts';
import { type WebhookOptions, webhook } from '../handlers/webhook.ts';
import { BLOCKED_PORTS } from '../process/blocked-ports.ts';
import { mergeHandlers } from './load-handlers.ts';

/** The handlers of `--webhook kind=URL`, each given once. Throws one sentence; it shows no URL, which may have a secret. */
export function webhookHandlers(given: readonly string[], options: WebhookOptions = {}): Handlers {
  return mergeHandlers(
    given.map((text) => {
      const { kind, url } = parse(text);
      return { from: `--webhook ${kind}=…`, handlers: toHandlers(kind, url, options) };
    }),
  );
}

function parse(text: string): { kind: string; url: string } {
  const [, kind, url] = /^([^=:/]+)=(.+)$/s.exec(text) ?? [];
  if (kind !== undefined && url !== undefined) return { kind, url };
  throw new Error('--webhook cannot be used: expected kind=URL, such as email=https://example.org/hooks/email.');
}

function toHandlers(kind: string, url: string, options: WebhookOptions): Handlers {
  try {
    const handlers = defineHandlers({ [kind]: webhook(url, options) });
    const { port } = new URL(url);
    if (port === '' || !BLOCKED_PORTS.has(Number(port))) return handlers;
    throw new TypeError(`The address of a webhook has the port ${port}: expected one that fetch does not block.`);
  } catch (cause) {
    throw new Error(`--webhook ${kind}=… cannot be used: ${(cause as Error).message}`, { cause });
  }
}
