import { setTimeout as sleep } from 'node:timers/promises';
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

type SettleDeps = Pick<ConsumerDeps, 'db' | 'report' | 'retry' | 'giveUp'>;

const LOCKED_PAUSE_MS = 250;
const SAY_AFTER_MS = 5_000;
const SAY_AGAIN_MS = 60_000;

/**
 * Writes each kind of outcome by itself: what cannot be written of one keeps no other from being written. Resolves to
 * what is not written because another connection has locked it.
 */
export async function settleBatch(deps: SettleDeps, batch: Batch, settlement: Settlement): Promise<Settlement> {
  const { db, report, retry } = deps;
  const { claimedBy, claimedAt } = batch;
  const { fills, failures, releases, why } = settlement;
  const [lockedFills, lockedFailures, lockedReleases] = await Promise.all([
    write(report, fills, 'filled', async () => {
      const { filled, locked } = await fillEvents(db, { claimedBy, fills });
      const done = fills.filter(({ id }) => filled.has(id));
      const lost = fills.length - filled.size - locked.length;
      if (locked.length < fills.length) report.filled(done, lost, Math.round(performance.now() - claimedAt));
      return locked;
    }),
    write(report, failures, 'marked as failed', async () => {
      const { failed, locked } = await failEvents(db, { claimedBy, failures, retry });
      const written = failures.filter(({ id }) => !locked.includes(id));
      if (written.length > 0) report.failed(written, written.length - failed);
      return locked;
    }),
    write(report, releases, 'given back', async () => {
      const { released, locked } = await releaseEvents(db, { claimedBy, claims: releases });
      if (locked.length < releases.length) report.released(released, why);
      return locked;
    }),
  ]);
  return { fills: lockedFills, failures: lockedFailures, releases: lockedReleases, why };
}

/** Resolves to those of the claims that another connection has locked. */
async function write<T extends Claim>(
  report: SettleDeps['report'],
  claims: readonly T[],
  done: string,
  statement: () => Promise<readonly number[]>,
): Promise<readonly T[]> {
  if (claims.length === 0) return claims;
  try {
    const locked = new Set(await statement());
    return claims.filter(({ id }) => locked.has(id));
  } catch (error) {
    report.trouble(`${claims.length} events could not be ${done} and are left to their lease`, error);
    return [];
  }
}

/**
 * Tries again what another connection has locked, until all of it is written or its claims are lost. They cannot be
 * renewed, since that is a write as well. Once `giveUp` is aborted, the rest is left to its lease.
 */
export async function settleLocked(deps: SettleDeps, batch: Batch, settlement: Settlement): Promise<void> {
  const { report, giveUp } = deps;
  const startedAt = performance.now();
  let sayAt = startedAt + SAY_AFTER_MS;
  for (let rest = settlement; ; rest = await settleBatch(deps, batch, rest)) {
    const locked = [...rest.fills, ...rest.failures, ...rest.releases].map(({ id }) => id);
    if (locked.length === 0) return;
    const now = performance.now();
    if (giveUp.aborted || now >= sayAt) {
      report.locked(locked, Math.round(now - startedAt));
      sayAt = now + SAY_AGAIN_MS;
    }
    if (giveUp.aborted) return;
    await sleep(LOCKED_PAUSE_MS, undefined, { signal: giveUp }).catch(() => {});
  }
}
