import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../database/connect.ts';
import type { Claim } from '../database/events/claim.ts';
import { renewEvents } from '../database/events/settle.ts';
import type { Report } from './report/report.ts';

export interface LeaseDeps {
  db: Database;
  report: Report;
  /** How long a claim holds, and for how long it is renewed. */
  leaseMs: number;
}

/**
 * Keeps claims alive until `done` is aborted, so that work on them may take longer than a lease, while a consumer that
 * is dead or frozen still loses its claims when one is over. Resolves when no renewal is under way any more.
 */
export async function keepLease(
  deps: LeaseDeps,
  claimedBy: string,
  claims: readonly Claim[],
  done: AbortSignal,
): Promise<void> {
  let delayMs: number | undefined = nextRenewal(deps);
  while (delayMs !== undefined) {
    await sleep(delayMs, undefined, { signal: done }).catch(() => {});
    if (done.aborted) return;
    delayMs = await renewalRound(deps, claimedBy, claims);
  }
}

/** One renewal. Resolves to the ms until the next, or to undefined when every claim is lost: nothing is left to keep. */
async function renewalRound(deps: LeaseDeps, claimedBy: string, claims: readonly Claim[]): Promise<number | undefined> {
  const startedAt = performance.now();
  try {
    const { renewed } = await renewEvents(deps.db, { claimedBy, claims, leaseMs: deps.leaseMs });
    if (renewed === 0) return undefined;
  } catch (error) {
    deps.report.trouble(`the lease of ${claims.length} events could not be renewed`, error);
  }
  return Math.max(0, nextRenewal(deps) - (performance.now() - startedAt));
}

/** A third of the lease after the last began: one renewal may fail, also slowly, and the next is still in time. */
function nextRenewal({ leaseMs }: LeaseDeps): number {
  return leaseMs / 3;
}
