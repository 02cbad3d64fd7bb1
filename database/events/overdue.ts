import { sql } from 'kysely';
import type { Database } from '../connect.ts';

export interface OverdueEvent {
  id: number;
  /** For how long it has been due. */
  waitedMs: number;
}

/** Up to `limit` events that have been due for longer than `dueForMs`, by due time. Waits for nobody, and locks nothing. */
export async function findOverdueEvents(
  db: Database,
  { dueForMs, limit }: { dueForMs: number; limit: number },
): Promise<OverdueEvent[]> {
  const { rows } = await sql<OverdueEvent>`
    SELECT id, TIMESTAMPDIFF(MICROSECOND, due_at, NOW(3)) DIV 1000 AS waitedMs FROM Events FORCE INDEX (claim)
    WHERE open = 1 AND due_at <= NOW(3) - INTERVAL ${dueForMs * 1_000} MICROSECOND
    ORDER BY due_at, id LIMIT ${sql.lit(limit)}`.execute(db);
  return rows;
}
