import { DEFAULT_KIND } from '../database/events/limits.ts';
import type { Attempt } from '../database/events/log.ts';
import type { KindHandler } from '../handlers/handler.ts';

type Policy = Pick<KindHandler, 'kind' | 'log' | 'logKey'>;

/** The line of the log about an attempt at an event with this payload, if its handler wants one. */
export function logOf(
  { log, logKey }: Policy,
  payload: string | undefined,
  attempt: Omit<Attempt, 'key'>,
): Attempt | undefined {
  const isFailure = attempt.outcome === 'failed' || attempt.outcome === 'dead';
  if (log === 'off' || (log === 'failures' && !isFailure)) return undefined;
  return { ...attempt, key: logKey === undefined ? undefined : memberOf(payload, logKey) };
}

/** The same of a value. Its text is the value's JSON, or without quotes what is text. */
export function logOfValue(
  handler: Policy,
  payload: string | undefined,
  { valor, startedAt }: { valor: string; startedAt: number },
): Attempt | undefined {
  if (handler.log !== 'all') return undefined;
  const isQuoted = handler.kind !== DEFAULT_KIND && valor.startsWith('"');
  const text = isQuoted ? (JSON.parse(valor) as string) : valor;
  return logOf(handler, payload, { outcome: 'filled', startedAt, text });
}

/** Undefined for all that is no text and no number, and for integers that JSON.parse has rounded. Throws nothing. */
function memberOf(payload: string | undefined, name: string): string | undefined {
  const parsed = parse(payload);
  if (typeof parsed !== 'object' || parsed === null || !Object.hasOwn(parsed, name)) return undefined;
  const member: unknown = Reflect.get(parsed, name);
  if (typeof member === 'string') return member;
  const isExact = Number.isSafeInteger(member) || (typeof member === 'number' && !Number.isInteger(member));
  return isExact ? String(member) : undefined;
}

/** A client of another language may have written no JSON. */
function parse(payload = 'null'): unknown {
  try {
    return JSON.parse(payload);
  } catch {
    return undefined;
  }
}
