import { sql } from 'kysely';
import type { Database } from '../../database/connect.ts';
import type { HandlerEvent, UserTransaction } from '../../handlers/handler.ts';
import type { Run, Task } from './runs.ts';

/** Kinds whose handlers write to a table of their own, in the transaction that fills their event. */
export const EFFECT_KINDS = ['done', 'transaction'] as const;

/** A row of that table: which run wrote it, and when by the clock of the machine, in ms. */
export type Effect = Pick<Run, 'id' | 'attempt' | 'pid'> & { at: number };

/** No key forbids a second row for an event. `Shared` has two rows over which transactions can collide. */
export async function installEffects(db: Database): Promise<void> {
  await sql`
    CREATE TABLE Effects (
      seq BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, id BIGINT UNSIGNED NOT NULL, attempt INT NOT NULL,
      pid INT NOT NULL, at DOUBLE NOT NULL DEFAULT (UNIX_TIMESTAMP(NOW(6)) * 1000)
    ) ENGINE = InnoDB`.execute(db);
  await sql`CREATE TABLE Shared (id INT NOT NULL PRIMARY KEY, n INT NOT NULL) ENGINE = InnoDB`.execute(db);
  await sql`INSERT INTO Shared VALUES (1, 0), (2, 0)`.execute(db);
}

/** Written before what the task says happens, so that it must be undone if that goes wrong. */
export async function writeEffect(trx: UserTransaction, { id, attempt, failures, payload }: HandlerEvent) {
  await trx.insertInto('Effects').values({ id, attempt, pid: process.pid }).execute();
  const { does } = payload as Task;
  if (does === 'collide')
    for (const row of [1, 2]) await sql`UPDATE Shared SET n = n + 1 WHERE id = ${row}`.execute(trx);
  if (does === 'commit once' && failures === 0) await sql`CREATE TABLE Stray (id INT)`.execute(trx);
}

export async function readEffects(db: Database): Promise<Effect[]> {
  const { rows } = await sql<Effect>`SELECT id, attempt, pid, at FROM Effects ORDER BY seq`.execute(db);
  return rows;
}
