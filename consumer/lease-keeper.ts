import { setTimeout as sleep } from 'node:timers/promises';
import { renewEvents } from '../database/events/settle.ts';
import type { HeldEvent } from './held-event.ts';
import type { ConsumerDeps } from './options.ts';

type LeaseDeps = Pick<ConsumerDeps, 'db' | 'report' | 'leaseMs' | 'claimedBy'>;

export interface LeaseKeeper {
  hold: (events: readonly HeldEvent[]) => void;
  letGo: (event: HeldEvent) => void;
  /** Whether it was neither let go nor lost. */
  holds: (event: HeldEvent) => boolean;
  /** How many events this process holds. */
  size: () => number;
  /** The last renewal failed: who claims now may not be able to keep what it claims. */
  isFailing: () => boolean;
  /** Renews until `done` is aborted. */
  run: (done: AbortSignal) => Promise<void>;
}

const RENEW_LIMIT = 1_000;

/**
 * Renews the leases of all that a process holds, since work may take longer than a lease. Only the database says that a claim
 * is lost; no answer is no loss.
 */
export function createLeaseKeeper({ db, report, leaseMs, claimedBy }: LeaseDeps): LeaseKeeper {
  const held = new Set<HeldEvent>();
  let isFailing = false;
  // A lease is renewed before a third of it is over: one renewal may fail, also slowly, and the next is still in time.
  const roundMs = leaseMs / 6;

  async function renew(claims: readonly HeldEvent[]): Promise<void> {
    const startedAt = performance.now();
    try {
      const { written, lost } = await renewEvents(db, { claimedBy, claims, leaseMs });
      for (const event of written) event.leasedAt = startedAt;
      for (const event of lost) {
        // What was settled meanwhile is no longer held either.
        if (held.delete(event)) event.onLost();
      }
      isFailing = false;
    } catch (error) {
      isFailing = true;
      report.trouble(`the lease of ${claims.length} events could not be renewed`, error);
    }
  }

  return {
    hold: (events) => {
      for (const event of events) held.add(event);
    },
    letGo: (event) => void held.delete(event),
    holds: (event) => held.has(event),
    size: () => held.size,
    isFailing: () => isFailing,
    run: async (done) => {
      while (!done.aborted) {
        await sleep(roundMs, undefined, { signal: done }).catch(() => {});
        const now = performance.now();
        const due = Array.from(held).filter(({ leasedAt }) => now - leasedAt >= roundMs);
        for (let from = 0; from < due.length && !done.aborted; from += RENEW_LIMIT) {
          await renew(due.slice(from, from + RENEW_LIMIT));
        }
        // With nothing left to renew, the next claim shows whether the database is there.
        if (held.size === 0) isFailing = false;
      }
    },
  };
}
