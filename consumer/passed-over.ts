import { findOverdueEvents } from '../database/events/overdue.ts';
import type { ConsumerDeps } from './options.ts';

// Claims that look at all that is due are at most ten seconds apart.
const DUE_FOR_MS = 15_000;
const LIMIT = 100;

/**
 * An event that another connection keeps locked is passed over by every claim. When nothing is left to claim, this looks
 * for such events, once a minute, and names those that it has seen before: the others somebody may be claiming just now.
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
    if (locked.length > 0)
      report.locked(
        locked.map(({ id }) => id),
        locked[0]!.waitedMs,
      );
  };
}
