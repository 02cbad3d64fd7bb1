import { findOverdueEvents } from '../database/events/overdue.ts';
import type { ConsumerDeps } from './options.ts';

// One claim a second looks at all that is due.
const DUE_FOR_MS = 15_000;
const LIMIT = 100;

/**
 * Every claim passes over an event that another connection keeps locked. Once a minute, when there is nothing to claim, this
 * names those that it sees for the second time: others may be part of a claim. Never rejects.
 */
export function createLookForLockedEvents(
  { db, report }: Pick<ConsumerDeps, 'db' | 'report'>,
  kinds: readonly string[],
  everyMs = 60_000,
) {
  let firstSeenAt = new Map<number, number>();
  let nextAt = 0;
  return async (): Promise<void> => {
    const now = performance.now();
    if (now < nextAt) return;
    nextAt = now + everyMs;
    try {
      const ids: number[] = [];
      for (const kind of kinds)
        ids.push(...(await findOverdueEvents(db, { kind, dueForMs: DUE_FOR_MS, limit: LIMIT })));
      const locked = ids.filter((id) => firstSeenAt.has(id));
      firstSeenAt = new Map(ids.map((id) => [id, firstSeenAt.get(id) ?? now]));
      if (locked.length > 0) report.locked(locked, Math.round(now - firstSeenAt.get(locked[0]!)!));
    } catch (error) {
      report.trouble('could not look for locked events', error);
    }
  };
}
