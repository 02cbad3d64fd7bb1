import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseError } from '../database/database-error.ts';
import { moveOutbox } from '../database/events/outbox.ts';
import type { ConsumerDeps } from './options.ts';

type MoveDeps = Pick<ConsumerDeps, 'db' | 'report' | 'pollMs'>;

const AFTER_TROUBLE_MS = 1_000;
/** So long after something was moved the outbox is looked at with each poll: who never uses it should not pay for that. */
const IN_USE_MS = 60_000;
const QUIET_POLL_MS = 1_000;

/** When something was last moved, by performance.now(). */
interface OutboxUse {
  usedAt: number;
}

/** Moves what is committed in the outbox into the events, until `signal` is aborted. */
export async function runMoveOutbox(deps: MoveDeps, signal: AbortSignal): Promise<void> {
  const use: OutboxUse = { usedAt: -Infinity };
  while (!signal.aborted) {
    const delayMs = await moveOutboxRound(deps, use);
    await sleep(delayMs, undefined, { signal }).catch(() => {});
  }
}

/** Resolves to the ms until the next round. Never rejects. */
export async function moveOutboxRound(
  { db, report, pollMs }: MoveDeps,
  use: OutboxUse = { usedAt: -Infinity },
): Promise<number> {
  try {
    const { moved, putAside, isFull } = await moveOutbox(db);
    if (moved > 0) use.usedAt = performance.now();
    for (const { id, problem } of putAside) {
      report.warn(`row ${id} of the outbox is put aside, since no event can be made of it: ${problem}`);
    }
    const isInUse = performance.now() - use.usedAt < IN_USE_MS;
    return isFull ? 0 : (isInUse ? pollMs : Math.max(pollMs, QUIET_POLL_MS)) * (0.9 + Math.random() * 0.2);
  } catch (error) {
    // A lost database has been reported, once.
    if (!(error instanceof DatabaseError && error.fault === 'unavailable')) {
      report.trouble('could not move the outbox', error);
    }
    return AFTER_TROUBLE_MS;
  }
}
