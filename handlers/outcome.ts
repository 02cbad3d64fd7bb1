import type { Effect, Json, Outcome } from './handler.ts';
import { DELAY_LIMIT_MS } from './limits.ts';
import { reasonOf } from './reason-of.ts';
import { toValue } from './to-value.ts';

// Known in the whole process, since a program may load this package twice.
const ENDING: unique symbol = Symbol.for('mysql-event-queue.ending');

/** How an attempt ends with more or less than a value: what `done()`, `later()` and `dead()` return, for a handler to return. */
export interface Ending {
  readonly [ENDING]: Outcome | Done;
}

interface Done {
  value: unknown;
  effect: Effect;
}

/** What a handler may return. Nothing counts as null. */
export type Result = Json | Ending | undefined | void;

/**
 * Not yet: the event is due again after `ms`, at most a year, and no failure is counted; `event.waits` grows. `why` is for the
 * log of attempts, which keeps 255 characters of it.
 *
 * @example if (!(await isShipped(order))) return later(60_000);
 */
export function later(ms: number, why?: string): Ending {
  if (Number.isFinite(ms) && ms >= 0 && ms <= DELAY_LIMIT_MS) {
    return endWith({ laterMs: Math.ceil(ms), ...(why !== undefined && { why: reasonOf(why) }) });
  }
  throw new RangeError(`later(${String(ms)}): expected milliseconds, from 0 to a year (31,536,000,000)`);
}

/**
 * Fills the event with `value`, and runs `effect` in the same transaction: what it writes is committed once. It may be called
 * again after a deadlock or a lost connection.
 *
 * @example return done({ paid: true }, (trx) => trx.insertInto('payments').values(payment).execute());
 */
export function done(value: Json | undefined, effect: Effect): Ending {
  return { [ENDING]: { value, effect } };
}

/**
 * No further attempt: the event is dead. Callers that wait for it read the reason, of which 255 characters are kept.
 *
 * @example if (!user) return dead('there is no such user');
 */
export function dead(reason: string): Ending {
  return endWith({ dead: reasonOf(reason) });
}

export function endWith(outcome: Outcome): Ending {
  return { [ENDING]: outcome };
}

/** Throws nothing, whatever a handler returned. An Error that is returned is a failure, as one that is thrown. */
export function toOutcome(kind: string, result: unknown): Outcome {
  try {
    if (typeof result === 'object' && result !== null && ENDING in result) {
      const ending = (result as Ending)[ENDING];
      return 'effect' in ending && 'value' in ending ? toDone(kind, ending) : ending;
    }
    return result instanceof Error ? { failure: reasonOf(result) } : toValue(kind, result);
  } catch (error) {
    return { failure: reasonOf(error) };
  }
}

function toDone(kind: string, { value, effect }: Done): Outcome {
  const kept = toValue(kind, value);
  return 'valor' in kept ? { ...kept, effect } : kept;
}
