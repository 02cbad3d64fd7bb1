import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseError } from '../database/database-error.ts';
import { forgetLog } from '../database/events/log.ts';
import type { ConsumerDeps } from './options.ts';

type ForgetDeps = Pick<ConsumerDeps, 'db' | 'report' | 'logTtlMs'>;

// Small deletes: each is a transaction of its own and soon over.
const BATCH_LIMIT = 500;
const PAUSE_MS = 60_000;

/** Forgets lines of the log whose time is over, until `signal` is aborted. Several consumers may do it at once. */
export async function runForgetLog(deps: ForgetDeps, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const delayMs = await forgetLogRound(deps);
    await sleep(delayMs, undefined, { signal }).catch(() => {});
  }
}

/** One small delete. Resolves to the ms until the next: soon after a full one, as there may be more. Never rejects. */
export async function forgetLogRound({ db, report, logTtlMs }: ForgetDeps): Promise<number> {
  try {
    if ((await forgetLog(db, { olderThanMs: logTtlMs, limit: BATCH_LIMIT })) === BATCH_LIMIT) return 10;
  } catch (error) {
    // A lost database has been reported, once.
    if (!(error instanceof DatabaseError && error.fault === 'unavailable')) {
      report.trouble('could not forget old lines of the log', error);
    }
  }
  return PAUSE_MS * (0.5 + Math.random());
}
