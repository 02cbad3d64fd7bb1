import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CompiledQuery, Kysely, type QueryResult } from 'kysely';
import { type Connection, createConnection, type QueryResult as DriverResult } from 'mysql2';
import { type ConnectionPool, createConnectionPool } from './connection-pool.ts';
import { DatabaseError } from './database-error.ts';
import { createDialect } from './dialect.ts';
import { createRetry, type RetryOptions } from './retry.ts';
import type { Schema } from './schema.ts';

export type Database = Kysely<Schema>;

export interface DatabaseOptions extends RetryOptions {
  /** `mysql://user:password@host:port/database` */
  url: string;
  /** Most connections open at once. Default 10. */
  poolSize?: number;
  /** Most statements waiting for a connection; one more fails as overloaded. Default 1,000. */
  queueLimit?: number;
  /** Longest wait of a statement while all connections are in use; then it fails as overloaded. Default 800. */
  queueWaitMs?: number;
  /** For one connection to be made, and once more for its session settings. Default 2,000. */
  connectTimeoutMs?: number;
  /** For one statement to be answered; then its connection is destroyed and its outcome is unknown. Default 10,000. */
  statementTimeoutMs?: number;
}

type Statement = Pick<CompiledQuery, 'sql' | 'parameters'>;

// What is set here is never left to the server's configuration. READ COMMITTED: under REPEATABLE READ a claim also
// locks the gaps that producers insert into. wait_timeout: a connection may be idle for eight hours. A lock is waited for
// less long than a statement may take by default, so that the server gives up first and says so.
const SESSION = [
  'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
  `SET SESSION sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION',
    time_zone = '+00:00', innodb_lock_wait_timeout = 5, wait_timeout = 28800`,
];

/**
 * A Kysely on a pool that keeps time limits, drops connections that can no longer serve, and retries what was
 * certainly not applied. Every error it throws is a DatabaseError. It connects on first use.
 *
 * Each statement takes a connection of its own: transactions live in the routines of init.sql, one round trip each,
 * so that a client frozen halfway holds no lock. `db.transaction()` is therefore refused.
 */
export function connectDatabase(options: DatabaseOptions): Database {
  const { url, poolSize = 10, queueLimit = 1_000, queueWaitMs = 800 } = options;
  const { connectTimeoutMs = 2_000, statementTimeoutMs = 10_000 } = options;
  const pool = createConnectionPool<Connection>({
    open: (onBroken) => openConnection(url, connectTimeoutMs, onBroken),
    close: cut,
    size: poolSize,
    queueLimit,
    queueWaitMs,
  });
  const withRetries = createRetry(options);
  let hasWorked = false;
  const run = async (statement: Statement, giveUpAt: number) => {
    const connection = await pool.take(giveUpAt).catch((cause: unknown) => {
      throw new DatabaseError(cause, false, hasWorked);
    });
    hasWorked = true;
    return runOnce(pool, connection, statement, statementTimeoutMs);
  };
  const dialect = createDialect({
    execute: async (statement) => toQueryResult(await withRetries((giveUpAt) => run(statement, giveUpAt))),
    destroy: async () => {
      const connections = pool.end();
      // One that a frozen server keeps busy cannot say it, and is not waited for.
      await Promise.race([Promise.all(connections.map(sayGoodbye)), sleep(1_000, undefined, { ref: false })]);
      connections.forEach(cut);
    },
  });
  return new Kysely<Schema>({ dialect });
}

async function runOnce(
  pool: ConnectionPool<Connection>,
  connection: Connection,
  statement: Statement,
  statementTimeoutMs: number,
): Promise<DriverResult> {
  try {
    const result = await query(connection, statement, statementTimeoutMs);
    pool.giveBack(connection);
    return result;
  } catch (cause) {
    // A read that was lost on the way may be sent again; nobody could tell.
    const error = new DatabaseError(cause, !/^\s*select\b/i.test(statement.sql));
    // Only a connection that the server has just answered on is known to be good.
    if (error.fault === 'unavailable' || error.fault === 'unknown') pool.drop(connection);
    else pool.giveBack(connection);
    throw error;
  }
}

/** A connection with our session settings, or an error; also from a server that lets us in and answers no more. */
async function openConnection(url: string, connectTimeoutMs: number, onBroken: () => void): Promise<Connection> {
  const connection = createConnection({
    uri: url,
    connectTimeout: connectTimeoutMs,
    charset: 'utf8mb4',
    timezone: 'Z',
    supportBigNumbers: true,
  });
  // Without a listener the first would end the process. Also what the server says when it closes an idle connection.
  connection.on('error', onBroken).on('end', onBroken);
  try {
    await new Promise<void>((resolve, reject) => {
      connection.connect((error) => (error ? reject(error) : resolve()));
    });
    await Promise.all(SESSION.map((sql) => query(connection, { sql, parameters: [] }, connectTimeoutMs)));
    return connection;
  } catch (error) {
    cut(connection);
    throw error;
  }
}

/** mysql2's own `destroy` only closes our side, and the socket stays for as long as a server does not answer. */
function cut(connection: Connection): void {
  connection.destroy();
  (connection as Connection & { stream: Duplex }).stream.destroy();
}

function sayGoodbye(connection: Connection): Promise<void> {
  return new Promise((resolve) => {
    connection.end(() => resolve());
  });
}

/** mysql2 has no time limit that ends a statement: its own hands a connection back that is still busy. */
function query(connection: Connection, { sql, parameters }: Statement, timeoutMs: number): Promise<DriverResult> {
  return new Promise((resolve, reject) => {
    const limit = setTimeout(() => reject(timeLimit(`no answer within ${timeoutMs} ms`)), timeoutMs);
    connection.query<DriverResult>(sql, [...parameters], (error, result) => {
      clearTimeout(limit);
      if (error) reject(withoutSql(error));
      else resolve(result);
    });
  });
}

/** mysql2 hangs the statement on its errors, with all that a batch carries: nothing for a log. */
function withoutSql(error: Error): Error {
  Reflect.deleteProperty(error, 'sql');
  return error;
}

function timeLimit(message: string): Error {
  return Object.assign(new Error(message), { code: 'TIME_LIMIT' });
}

function toQueryResult(result: DriverResult): QueryResult<unknown> {
  if (Array.isArray(result)) return { rows: result };
  return { rows: [], numAffectedRows: BigInt(result.affectedRows) };
}
