import { sql } from 'kysely';
import type { Database } from '../../database/connect.ts';

/** What happened to a row, as a trigger of the test saw it from inside the database. */
export interface Change {
  id: number;
  /** `rewritten`: a word took the place of another one. */
  what: 'claimed' | 'filled' | 'rewritten';
  valor: string | null;
  claimedBy: string | null;
  attempts: number;
  /** Of a claim: how long the lease of the holder before would still have lasted, in ms; null if nobody held it. */
  leaseLeftMs: number | null;
  isolation: string;
}

/** Notes every claim and every change of a word from now on, in a table that only the test knows. */
export async function installAudit(db: Database): Promise<void> {
  const { rows } = await sql<{ version: string }>`SELECT VERSION() AS version`.execute(db);
  const isolation = rows[0]!.version.includes('MariaDB') ? '@@tx_isolation' : '@@transaction_isolation';
  await sql`
    CREATE TABLE Changes (
      seq BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, id BIGINT UNSIGNED NOT NULL, what VARCHAR(10) NOT NULL,
      valor VARCHAR(255) NULL, claimed_by VARCHAR(64) NULL, attempts INT NOT NULL, lease_left_ms DOUBLE NULL,
      isolation VARCHAR(32) NOT NULL
    ) CHARSET = utf8mb4 COLLATE = utf8mb4_bin`.execute(db);
  await sql
    .raw(`CREATE TRIGGER note_changes AFTER UPDATE ON Events FOR EACH ROW
      BEGIN
        DECLARE what VARCHAR(10) DEFAULT CASE
          WHEN OLD.valor <> '' AND NOT (NEW.valor <=> OLD.valor) THEN 'rewritten'
          WHEN NEW.valor <> '' AND COALESCE(OLD.valor, '') = '' THEN 'filled'
          WHEN NEW.processing = 1 AND (OLD.processing = 0 OR NEW.attempts <> OLD.attempts) THEN 'claimed'
        END;
        IF what IS NOT NULL THEN
          INSERT INTO Changes (id, what, valor, claimed_by, attempts, lease_left_ms, isolation) VALUES
            (NEW.id, what, NEW.valor, NEW.claimed_by, NEW.attempts,
             IF(OLD.processing = 1, TIMESTAMPDIFF(MICROSECOND, NOW(3), OLD.due_at) / 1000, NULL), ${isolation});
        END IF;
      END`)
    .execute(db);
}

/** In the order in which they were made. */
export async function readChanges(db: Database): Promise<Change[]> {
  const { rows } = await sql<Change>`
    SELECT id, what, valor, claimed_by AS claimedBy, attempts, lease_left_ms AS leaseLeftMs, isolation
    FROM Changes ORDER BY seq`.execute(db);
  return rows;
}
