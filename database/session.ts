/**
 * Makes our statements mean the same whatever the server's configuration says; docs/design.md says why each variable is
 * here. Every wait on the server ends before ours. The question is of database/writer-question.ts.
 */
export function sessionStatement(statementTimeoutMs: number, question?: string): string {
  // Half of ours, since one statement may wait for a table and then for a row; a second is the least that servers know.
  const lockWaitSeconds = Math.max(1, Math.min(5, Math.floor(statementTimeoutMs / 2_000)));
  const common = {
    autocommit: 1,
    completion_type: question ?? "'NO_CHAIN'",
    sql_mode: "'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
    time_zone: "'+00:00'",
    // A server that turns read-only may wait for our transaction, which waits for another's row, which waits for the server.
    lock_wait_timeout: question === undefined ? lockWaitSeconds : 1,
    innodb_lock_wait_timeout: lockWaitSeconds,
    wait_timeout: 28_800, // a connection may be idle for eight hours
    group_concat_max_len: 67_108_864, // MariaDB cuts JSON_ARRAYAGG by it, without an error
    sql_safe_updates: 0,
    sql_big_selects: 1,
    sql_select_limit: '18446744073709551615',
    unique_checks: 1, // without it MariaDB may lock an empty table as a whole for its first insert
  };
  // Under REPEATABLE READ a claim also locks the gaps that producers insert into.
  const isolation = "'READ-COMMITTED'";
  const mysql = {
    transaction_isolation: isolation,
    transaction_read_only: 0,
    max_execution_time: statementTimeoutMs,
  };
  const mariaDb = {
    tx_isolation: isolation,
    tx_read_only: 0,
    max_statement_time: statementTimeoutMs / 1_000,
    check_constraint_checks: 1,
    tmp_disk_table_size: '18446744073709551615', // JSON_TABLE of a batch must fit
    sql_if_exists: 0, // with it CREATE TABLE IF NOT EXISTS fails where the table exists
  };
  // Each server reads its own comment and skips the other's.
  return `SET NAMES utf8mb4 COLLATE utf8mb4_bin, ${assignments(common)}
    /*!80000 , ${assignments(mysql)} */ /*M! , ${assignments(mariaDb)} */`;
}

function assignments(variables: Record<string, string | number>): string {
  return Object.entries(variables)
    .map(([name, value]) => `SESSION ${name} = ${value}`)
    .join(', ');
}
