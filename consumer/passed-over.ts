import { findOverdueEvents } from '../database/events/overdue.ts';
import type { ConsumerDeps } from './options.ts';

// Claims that look at all that is due are at most ten seconds apart.
const DUE_FOR_MS = 15_000;
const LIMIT = 100;

/**
 * Every claim passes over an event that another connection keeps locked. Once a minute, when there is nothing to claim, this
 * names those that it sees for the second time: the others may be part of a claim.
 */
export function createPassedOverLook({ db, report }: Pick<ConsumerDeps, 'db' | 'report'>, everyMs = 60_000) {
  let seen = new Set<number>();
  let nextAt = 0;
  return async (): Promise<void> => {
    if (performance.now() < nextAt) return;
    nextAt = performance.now() + everyMs;
    const overdue = await findOverdueEvents(db, { dueForMs: DUE_FOR_MS, limit: LIMIT });
    const locked = overdue.filter(({ id }) => seen.has(id));
    seen = new Set(overdue.map(({ id }) => id));
    const ids = locked.map(({ id }) => id);
    if (locked.length > 0) report.locked(ids, locked[0]!.waitedMs);
  };
}
