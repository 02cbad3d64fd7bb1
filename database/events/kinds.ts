import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Database } from '../connect.ts';
import { isDuplicateKey } from '../database-error.ts';

const TRIES = 10;

/** Makes those of the kinds that nobody has used before; what an operator has set of the others stays. */
export async function addKinds(db: Database, kinds: readonly string[]): Promise<void> {
  const named = JSON.stringify(kinds.map((kind) => ({ kind })));
  for (let tries = 1; ; tries++) {
    try {
      await sql`CALL add_kinds(${named})`.execute(db);
      return;
    } catch (error) {
      // Somebody else made one at the same moment.
      if (!isDuplicateKey(error) || tries === TRIES) throw error;
      await sleep(5 + Math.random() * 20);
    }
  }
}

/** Kinds with an event that has been due for longer than `dueForMs`, while no consumer has looked for any since. */
export async function findUnservedKinds(db: Database, { dueForMs = 60_000 } = {}): Promise<string[]> {
  const microseconds = dueForMs * 1_000;
  const { rows } = await sql<{ name: string }>`
    SELECT Kinds.name FROM Kinds
    WHERE Kinds.looked_at <= UTC_TIMESTAMP(3) - INTERVAL ${microseconds} MICROSECOND AND EXISTS (
      SELECT 1 FROM Events FORCE INDEX (claim)
      WHERE Events.kind = Kinds.id AND Events.open = 1
        AND Events.due_at <= UTC_TIMESTAMP(3) - INTERVAL ${microseconds} MICROSECOND
    )`.execute(db);
  return rows.map(({ name }) => name);
}
