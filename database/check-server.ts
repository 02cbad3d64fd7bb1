import { sql } from 'kysely';
import type { Database } from './connect.ts';

/** What a process says of its server when it starts. */
export interface ServerReport {
  /** Version and isolation, for the log. */
  summary: string;
  /** Why our guarantees do not hold on this server in full; empty when they do. */
  warnings: string[];
}

/** Which server this is, and whether an acknowledged commit survives its crash. */
export async function checkServer(db: Database): Promise<ServerReport> {
  const variables = await readServerVariables(db);
  const isolation = variables['transaction_isolation'] ?? variables['tx_isolation'];
  const warnings = [];
  if (variables['innodb_flush_log_at_trx_commit'] !== '1') warnings.push('innodb_flush_log_at_trx_commit is not 1');
  if (variables['log_bin'] === 'ON' && variables['sync_binlog'] !== '1') warnings.push('sync_binlog is not 1');
  return {
    summary: `database ${variables['version']}, ${isolation}`,
    warnings: warnings.map(
      (what) => `${what}: what was acknowledged may be lost when the machine of the server crashes`,
    ),
  };
}

const HOLDS_MS = [100, 500, 1_000, 1_000, 1_000];

/**
 * Throws if this server's SKIP LOCKED takes no locks: TiDB reads the words and ignores them, and two consumers would
 * claim the same events. Needs two connections. A create may wait for it: for a tenth of a second,
 * or, on a machine that is too busy to run both at once, for up to a second a try.
 */
export async function checkSkipLocked(db: Database): Promise<void> {
  for (const holdMs of HOLDS_MS) {
    const [one, other] = await Promise.all([tryLock(db, holdMs), tryLock(db, holdMs)]);
    // Locked by each other, by a create or by another process's check: whichever it was, it was passed over.
    if (!one.locked || !other.locked) return;
    if (one.since < other.until && other.since < one.until) {
      throw new Error('SELECT … FOR UPDATE SKIP LOCKED takes no locks on this server: events would be claimed twice.');
    }
    // On a busy machine the second may be asked when the first has let go, which shows nothing.
  }
  throw new Error('Could not see whether SKIP LOCKED takes locks: two statements sent at once never ran at once.');
}

/** Whether one of these routines of init.sql is missing; without EXECUTE on it, it cannot be seen. */
export async function isRoutineMissing(db: Database, names: readonly string[]): Promise<boolean> {
  const { rows } = await sql`
    SELECT 1 FROM information_schema.ROUTINES
    WHERE ROUTINE_SCHEMA = DATABASE() AND ROUTINE_NAME IN (${sql.join(names)})`.execute(db);
  return rows.length < names.length;
}

/**
 * Whether the row of DBStatus could be locked past SKIP LOCKED. If so the lock is held for `holdMs`; from `since` until
 * `until`, in seconds by the database's clock.
 */
async function tryLock(db: Database, holdMs: number): Promise<{ locked: boolean; since: number; until: number }> {
  const { rows } = await sql<{ locked: number; since: number; until: number }[]>`CALL try_lock(${holdMs})`.execute(db);
  const { locked, since, until } = rows[0]![0]!;
  return { locked: locked === 1, since, until };
}

/** The server's version and what else decides how far our guarantees hold, by the server's own names. */
async function readServerVariables(db: Database): Promise<Record<string, string>> {
  const { rows } = await sql<{ Variable_name: string; Value: string }>`
    SHOW SESSION VARIABLES WHERE Variable_name IN (
      'version', 'transaction_isolation', 'tx_isolation', 'log_bin', 'sync_binlog', 'innodb_flush_log_at_trx_commit'
    )`.execute(db);
  return Object.fromEntries(rows.map(({ Variable_name, Value }) => [Variable_name, Value]));
}
