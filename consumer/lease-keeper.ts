import { setTimeout as sleep } from 'node:timers/promises';
import type { Claim } from '../database/events/claim.ts';
import { renewEvents } from '../database/events/settle.ts';
import type { ConsumerDeps } from './options.ts';

/** Events claimed together. `claimedBy` is unlike that of any other claim, so that with the attempt it fences them. */
export interface Batch {
  claimedBy: string;
  claims: readonly Claim[];
  /** By performance.now(). */
  claimedAt: number;
}

type LeaseDeps = Pick<ConsumerDeps, 'db' | 'report' | 'leaseMs'>;

const LOCKED_PAUSE_MS = 1_000;

/**
 * Renews the claims until `done` is aborted or all are lost: work may take longer than a lease, and a consumer that is
 * dead or frozen still loses its claims. Resolves when no renewal runs any more.
 */
export async function keepLease(deps: LeaseDeps, { claimedBy, claims }: Batch, done: AbortSignal): Promise<void> {
  const { db, report, leaseMs } = deps;
  // A third of the lease after the last began: one renewal may fail, also slowly, and the next is still in time.
  let renewAt = performance.now() + leaseMs / 3;
  for (;;) {
    await sleep(Math.max(0, renewAt - performance.now()), undefined, { signal: done }).catch(() => {});
    if (done.aborted) return;
    const startedAt = performance.now();
    renewAt = startedAt + leaseMs / 3;
    try {
      const { renewed, locked } = await renewEvents(db, { claimedBy, claims, leaseMs });
      if (renewed + locked.length === 0) return;
      if (locked.length > 0) renewAt = Math.min(renewAt, startedAt + LOCKED_PAUSE_MS);
    } catch (error) {
      report.trouble(`the lease of ${claims.length} events could not be renewed`, error);
    }
  }
}
