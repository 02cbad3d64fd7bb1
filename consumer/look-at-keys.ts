import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseError } from '../database/database-error.ts';
import { lookAtKeys } from '../database/events/keys.ts';
import type { ConsumerDeps } from './options.ts';

const AFTER_TROUBLE_MS = 1_000;
// Several consumers come at different moments, and the first makes the look.
const JITTER_MS = 500;

/** Looks for keys that nobody hands on, until `signal` is aborted. */
export async function runLooksAtKeys(deps: Pick<ConsumerDeps, 'db' | 'report'>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const delayMs = await lookAtKeysRound(deps);
    await sleep(delayMs, undefined, { signal }).catch(() => {});
  }
}

/** Resolves to the ms until the next round. Never rejects. */
export async function lookAtKeysRound({ db, report }: Pick<ConsumerDeps, 'db' | 'report'>): Promise<number> {
  try {
    return (await lookAtKeys(db)) + Math.random() * JITTER_MS;
  } catch (error) {
    // A lost database has been reported, once.
    if (!(error instanceof DatabaseError && error.fault === 'unavailable')) {
      report.trouble('could not look at the keys', error);
    }
    return AFTER_TROUBLE_MS;
  }
}
