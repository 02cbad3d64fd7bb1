/** What is set here is never left to the server's configuration: one round trip, on MySQL 8.4+ and MariaDB 10.6+. */
export function sessionStatement(): string {
  const common = {
    sql_mode: "'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
    time_zone: "'+00:00'",
    innodb_lock_wait_timeout: 5,
    wait_timeout: 28_800, // a connection may be idle for eight hours
  };
  // Under REPEATABLE READ a claim also locks the gaps that producers insert into.
  const isolation = "'READ-COMMITTED'";
  const mysql = {
    transaction_isolation: isolation,
  };
  const mariaDb = {
    tx_isolation: isolation,
  };
  // Each server reads its own comment and skips the other's.
  return `SET ${assignments(common)}
    /*!80000 , ${assignments(mysql)} */ /*M! , ${assignments(mariaDb)} */`;
}

function assignments(variables: Record<string, string | number>): string {
  return Object.entries(variables)
    .map(([name, value]) => `SESSION ${name} = ${value}`)
    .join(', ');
}
