import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseError } from '../database/database-error.ts';
import { moveOutbox } from '../database/events/outbox.ts';
import type { ConsumerDeps } from './options.ts';

type MoveDeps = Pick<ConsumerDeps, 'db' | 'report' | 'pollMs'>;

const AFTER_TROUBLE_MS = 1_000;

/** Moves what is committed in the outbox into the events, until `signal` is aborted. */
export async function runMoveOutbox(deps: MoveDeps, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const delayMs = await moveOutboxRound(deps);
    await sleep(delayMs, undefined, { signal }).catch(() => {});
  }
}

/** Resolves to the ms until the next round. Never rejects. */
export async function moveOutboxRound({ db, report, pollMs }: MoveDeps): Promise<number> {
  try {
    const { putAside, isFull } = await moveOutbox(db);
    for (const { id, problem } of putAside) {
      report.warn(`row ${id} of the outbox is put aside, since no event can be made of it: ${problem}`);
    }
    return isFull ? 0 : pollMs * (0.9 + Math.random() * 0.2);
  } catch (error) {
    // A lost database has been reported, once.
    if (!(error instanceof DatabaseError && error.fault === 'unavailable')) {
      report.trouble('could not move the outbox', error);
    }
    return AFTER_TROUBLE_MS;
  }
}
