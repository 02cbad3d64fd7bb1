import { sql } from 'kysely';
import type { Database } from '../connect.ts';

/**
 * Makes the next of a key due where the one before was settled, or deleted, by a client that knows no keys. One look in 9 s is
 * made, for all consumers together. Resolves to the ms until the next.
 */
export async function lookAtKeys(db: Database): Promise<number> {
  const { rows } = await sql<{ next_ms: number }[]>`CALL look_at_keys()`.execute(db);
  return rows[0]![0]!.next_ms;
}
