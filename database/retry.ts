import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseError } from './database-error.ts';

export interface RetryOptions {
  /** How long one statement is tried again while no server can take it. @default 3_000 */
  retryMs?: number;
  /** Called when contact is lost and when it is back, not for each failed try; lost at most once in 5 s. */
  onAvailability?: (available: boolean, error?: DatabaseError) => void;
  /** Once aborted, a server that cannot be reached is not waited for. */
  signal?: AbortSignal;
}

const TRIES_AFTER_ROLLBACK = 5;
// Where some connections work and others do not, as at max_connections, contact would be lost and back all the time.
const QUIET_MS = 5_000;

/**
 * The one place where statements are sent again. The returned function runs a statement until it is answered, or has
 * failed in a way that forbids sending it again, or its deadline (by performance.now()) has come.
 */
export function createRetry({ retryMs = 3_000, onAvailability, signal }: RetryOptions) {
  let available = true;
  let lastLostAt = -Infinity;

  function note(error?: DatabaseError): void {
    if (error === undefined) {
      if (!available) onAvailability?.(true);
      available = true;
    } else if (available && performance.now() - lastLostAt > QUIET_MS) {
      lastLostAt = performance.now();
      available = false;
      onAvailability?.(false, error);
    }
  }

  return async <T>(run: (deadline: number) => Promise<T>): Promise<T> => {
    const deadline = performance.now() + retryMs;
    for (let tries = 1; ; tries++) {
      try {
        const result = await run(deadline);
        note();
        return result;
      } catch (error) {
        if (!(error instanceof DatabaseError)) throw error;
        if (error.fault === 'unavailable' || error.fault === 'unknown') note(error);
        const delayMs = retryDelay(error, tries);
        const isHopeless = error.fault === 'unavailable' && signal?.aborted;
        if (delayMs === undefined || isHopeless || performance.now() + delayMs > deadline) throw error;
        await sleep(delayMs, undefined, signal && !signal.aborted ? { signal } : {}).catch(() => {});
      }
    }
  };
}

/** How long to wait before the same statement may be sent again, in ms; undefined: it must not be. */
function retryDelay({ fault }: DatabaseError, tries: number): number | undefined {
  switch (fault) {
    case 'not applied':
      return tries <= TRIES_AFTER_ROLLBACK ? 10 + Math.random() * 190 : undefined;
    case 'unavailable':
      return Math.min(100 * 2 ** (tries - 1), 2_000) * (0.5 + Math.random() / 2);
    case 'unknown':
    case 'overloaded':
    case 'permanent':
    case 'refused':
      return undefined;
  }
}
