import { sql } from 'kysely';
import type { Database } from '../../database/connect.ts';

/** What happened to a row, as a trigger of the test saw it from inside the database. */
export interface Change {
  id: number;
  /**
   * `returned`: by its holder. `taken back`: from its holder, as a lost lease is. `rewritten`: a value took the place of
   * another one.
   */
  what: 'claimed' | 'filled' | 'rewritten' | 'returned' | 'taken back';
  valor: string | null;
  /** Of one that is given back: who held it. */
  claimedBy: string;
  attempts: number;
  /** Nobody will work on it any more: it is filled or dead. */
  isSettled: boolean;
  /** How long the lease before would still have lasted, in ms; null if nobody held it. */
  leaseLeftMs: number | null;
  /** By the clock of the machine, in ms. */
  at: number;
  isolation: string;
}

/** Notes every claim, every end of a claim and every change of a value from now on, in a table that only the test knows. */
export async function installAudit(db: Database): Promise<void> {
  const { rows } = await sql<{ version: string }>`SELECT VERSION() AS version`.execute(db);
  const isolation = rows[0]!.version.includes('MariaDB') ? '@@tx_isolation' : '@@transaction_isolation';
  await sql`
    CREATE TABLE Changes (
      seq BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, id BIGINT UNSIGNED NOT NULL, what VARCHAR(10) NOT NULL,
      valor MEDIUMTEXT NULL, claimed_by VARCHAR(64) NOT NULL, attempts INT NOT NULL, is_settled TINYINT NOT NULL,
      lease_left_ms DOUBLE NULL, at DOUBLE NOT NULL, isolation VARCHAR(32) NOT NULL
    ) CHARSET = utf8mb4 COLLATE = utf8mb4_bin`.execute(db);
  // A consumer that gives an event back with a failure makes it due later. SYSDATE is the moment itself, and not that of
  // the statement.
  await sql
    .raw(`CREATE TRIGGER note_changes AFTER UPDATE ON Events FOR EACH ROW
      BEGIN
        DECLARE what VARCHAR(10) DEFAULT CASE
          WHEN OLD.valor <> '' AND NOT (NEW.valor <=> OLD.valor) THEN 'rewritten'
          WHEN NEW.valor <> '' AND COALESCE(OLD.valor, '') = '' THEN 'filled'
          WHEN NEW.processing = 1 AND (OLD.processing <> 1 OR NEW.attempts <> OLD.attempts) THEN 'claimed'
          WHEN OLD.processing = 1 AND NEW.processing <> 1 THEN
            IF(OLD.lease_until <= UTC_TIMESTAMP(3) OR NEW.failures = OLD.failures + 1
              AND (NEW.due_at <=> OLD.due_at OR NEW.last_error <=> 'its consumers died'), 'taken back', 'returned')
        END;
        IF what IS NOT NULL THEN
          INSERT INTO Changes (id, what, valor, claimed_by, attempts, is_settled, lease_left_ms, at, isolation) VALUES
            (NEW.id, what, NEW.valor, IF(NEW.claimed_by = '', OLD.claimed_by, NEW.claimed_by), NEW.attempts, NEW.open IS NULL,
             IF(OLD.processing = 1, TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(3), OLD.lease_until) / 1000, NULL),
             UNIX_TIMESTAMP(SYSDATE(6)) * 1000, ${isolation});
        END IF;
      END`)
    .execute(db);
}

/** In the order in which they were made. */
export async function readChanges(db: Database): Promise<Change[]> {
  const { rows } = await sql<Omit<Change, 'isSettled'> & { isSettled: 0 | 1 }>`
    SELECT id, what, valor, claimed_by AS claimedBy, attempts, is_settled AS isSettled, lease_left_ms AS leaseLeftMs,
      at, isolation
    FROM Changes ORDER BY seq`.execute(db);
  return rows.map((row) => ({ ...row, isSettled: row.isSettled === 1 }));
}
