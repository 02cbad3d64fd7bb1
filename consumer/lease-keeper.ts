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

/**
 * Renews the claims until `done` is aborted, so that work on them may take longer than a lease, while a consumer that is
 * dead or frozen still loses its claims when one is over. Resolves when no renewal is under way any more.
 */
export async function keepLease(deps: LeaseDeps, batch: Batch, done: AbortSignal): Promise<void> {
  let delayMs: number | undefined = deps.leaseMs / 3;
  while (delayMs !== undefined) {
    await sleep(delayMs, undefined, { signal: done }).catch(() => {});
    if (done.aborted) return;
    delayMs = await renewalRound(deps, batch);
  }
}

/** One renewal. Resolves to the ms until the next, or to undefined when every claim is lost: nothing is left to keep. */
async function renewalRound(deps: LeaseDeps, { claimedBy, claims }: Batch): Promise<number | undefined> {
  const { db, report, leaseMs } = deps;
  const startedAt = performance.now();
  try {
    const { renewed } = await renewEvents(db, { claimedBy, claims, leaseMs });
    if (renewed === 0) return undefined;
  } catch (error) {
    report.trouble(`the lease of ${claims.length} events could not be renewed`, error);
  }
  // A third of the lease after this one began: one renewal may fail, also slowly, and the next is still in time.
  return Math.max(0, leaseMs / 3 - (performance.now() - startedAt));
}
