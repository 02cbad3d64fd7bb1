import type { Claim } from '../database/events/claim.ts';
import { type Failure, type Fill, failEvents, fillEvents, releaseEvents } from '../database/events/settle.ts';
import type { Batch } from './lease-keeper.ts';
import type { ConsumerDeps } from './options.ts';

/** What is to be written of a batch. */
export interface Settlement {
  fills: readonly Fill[];
  failures: readonly Failure[];
  releases: readonly Claim[];
  /** Why the releases are given back. */
  why: string;
}

type SettleDeps = Pick<ConsumerDeps, 'db' | 'report' | 'retry'>;

/** Writes each kind of outcome by itself: what cannot be written of one keeps no other from being written. */
export async function settleBatch(deps: SettleDeps, batch: Batch, settlement: Settlement): Promise<void> {
  const { db, report, retry } = deps;
  const { claimedBy, claimedAt } = batch;
  const { fills, failures, releases, why } = settlement;
  await Promise.all([
    write(report, fills, 'filled', async () => {
      const { filled } = await fillEvents(db, { claimedBy, fills });
      const done = filled.size === fills.length ? fills : fills.filter(({ id }) => filled.has(id));
      report.filled(done, fills.length - done.length, Math.round(performance.now() - claimedAt));
    }),
    write(report, failures, 'marked as failed', async () => {
      const { failed } = await failEvents(db, { claimedBy, failures, retry });
      report.failed(failures, failures.length - failed);
    }),
    write(report, releases, 'given back', async () => {
      const { released } = await releaseEvents(db, { claimedBy, claims: releases });
      report.released(released, why);
    }),
  ]);
}

async function write(
  report: SettleDeps['report'],
  claims: readonly Claim[],
  done: string,
  statement: () => Promise<void>,
): Promise<void> {
  if (claims.length === 0) return;
  try {
    await statement();
  } catch (error) {
    report.trouble(`${claims.length} events could not be ${done} and are left to their lease`, error);
  }
}
