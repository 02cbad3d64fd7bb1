import { sql } from 'kysely';
import type { Database } from '../database/connect.ts';

/** Statements that clients have sent to this server so far. Those inside a routine do not count. */
async function countQueries(db: Database): Promise<number> {
  const { rows } = await sql<{ Value: string }>`SHOW GLOBAL STATUS LIKE 'Questions'`.execute(db);
  return Number(rows[0]!.Value);
}

/** Queries per second since the start of the count; our own two readings are left out. */
export async function startQueryClock(db: Database): Promise<() => Promise<number>> {
  const atStart = await countQueries(db);
  const startedAt = performance.now();
  return async () => {
    const seconds = (performance.now() - startedAt) / 1_000;
    return ((await countQueries(db)) - atStart - 1) / seconds;
  };
}

/** Deadlocks that InnoDB has broken so far. */
export async function countDeadlocks(db: Database): Promise<number> {
  const { rows } = await sql<{ total: number }>`
    SELECT \`COUNT\` AS total FROM information_schema.INNODB_METRICS WHERE NAME = 'lock_deadlocks'`.execute(db);
  return rows[0]!.total;
}

/** As `mysql-9.7.4` or `mariadb-10.11.14`. */
export async function serverName(db: Database): Promise<string> {
  const { rows } = await sql<{ version: string }>`SELECT VERSION() AS version`.execute(db);
  const { version } = rows[0]!;
  return `${version.includes('MariaDB') ? 'mariadb' : 'mysql'}-${/^[\d.]+/.exec(version)![0]}`;
}

/** What makes an acknowledged commit durable; figures without it are not comparable. */
export async function durabilitySettings(db: Database): Promise<Record<string, number>> {
  const { rows } = await sql<Record<string, number>>`
    SELECT @@sync_binlog AS sync_binlog, @@innodb_flush_log_at_trx_commit AS innodb_flush_log_at_trx_commit,
      @@log_bin AS log_bin, @@innodb_buffer_pool_size AS innodb_buffer_pool_size`.execute(db);
  return rows[0]!;
}
