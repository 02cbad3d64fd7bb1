import { sql } from 'kysely';
import type { Database } from '../connect.ts';

/** Ids of up to `limit` events that have been due for longer than `dueForMs`, by due time. Locks and awaits nothing. */
export async function findOverdueEvents(
  db: Database,
  { dueForMs, limit }: { dueForMs: number; limit: number },
): Promise<number[]> {
  const { rows } = await sql<{ id: number }>`
    SELECT id FROM Events FORCE INDEX (claim)
    WHERE open = 1 AND due_at <= NOW(3) - INTERVAL ${dueForMs * 1_000} MICROSECOND
    ORDER BY due_at, id LIMIT ${sql.lit(limit)}`.execute(db);
  return rows.map(({ id }) => id);
}
