import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../database/connect.ts';
import { forgetKeys } from '../database/events/create.ts';

export interface ForgetKeysDeps {
  db: Database;
  /** How long a key is remembered. */
  rememberMs: number;
  onError: (error: unknown) => void;
}

// Small deletes: each is a transaction of its own and soon over.
const BATCH_LIMIT = 500;
const PAUSE_MS = 60_000;

/** Forgets idempotency keys whose time is over, until `signal` is aborted. Several producers may do it at once. */
export async function runForgetKeys(deps: ForgetKeysDeps, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const delayMs = await forgetKeysRound(deps);
    await sleep(delayMs, undefined, { signal }).catch(() => {});
  }
}

/** One small delete. Resolves to the ms until the next: soon after a full one, as there may be more. */
export async function forgetKeysRound({ db, rememberMs, onError }: ForgetKeysDeps): Promise<number> {
  try {
    if ((await forgetKeys(db, { olderThanMs: rememberMs, limit: BATCH_LIMIT })) === BATCH_LIMIT) return 10;
  } catch (error) {
    onError(error);
  }
  return PAUSE_MS * (0.5 + Math.random());
}
