import { sql } from 'kysely';
import type { Database } from '../connect.ts';

/** Ids of up to `limit` events of this kind that have been due for longer than `dueForMs` and that nobody holds. Locks nothing. */
export async function findOverdueEvents(
  db: Database,
  { kind, dueForMs, limit }: { kind: string; dueForMs: number; limit: number },
): Promise<number[]> {
  const { rows } = await sql<{ id: number }>`
    SELECT id FROM Events FORCE INDEX (claim)
    WHERE kind = (SELECT Kinds.id FROM Kinds WHERE name = ${kind} AND NOT paused) AND open = 1 AND processing <> 1
      AND due_at <= UTC_TIMESTAMP(3) - INTERVAL ${dueForMs * 1_000} MICROSECOND
    ORDER BY kind, open, due_at, id LIMIT ${sql.lit(limit)}`.execute(db);
  return rows.map(({ id }) => id);
}
