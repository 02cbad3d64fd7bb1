import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseError } from './database-error.ts';
import { whatToDo } from './what-to-do.ts';

const PAUSE_MS = 500;

/**
 * Asks, which must be safe to repeat, until the database answers. Undefined once `signal` is aborted. Rejects with what to
 * do where waiting does not help.
 */
export async function untilAvailable<T>(signal: AbortSignal, ask: () => Promise<T>): Promise<T | undefined> {
  while (!signal.aborted) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof DatabaseError) || isHopeless(error)) throw error;
      await sleep(PAUSE_MS, undefined, { signal }).catch(() => {});
    }
  }
  return undefined;
}

/** A routine that is missing passes while init.sql is loaded again; by now that has been waited for. */
function isHopeless({ fault, errno }: DatabaseError): boolean {
  return fault === 'permanent' || (fault === 'not applied' && whatToDo(errno) !== undefined);
}
