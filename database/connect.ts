import { setTimeout as sleep } from 'node:timers/promises';
import { type CompiledQuery, Kysely, type QueryResult } from 'kysely';
import { createPool, type QueryResult as DriverResult, type Pool, type PoolConnection } from 'mysql2';
import { DatabaseError, PoolBusyError } from './database-error.ts';
import { createDialect } from './dialect.ts';
import { createHandOver } from './hand-over.ts';
import { createPatience, type PatienceOptions } from './patience.ts';
import type { Schema } from './schema.ts';

export type Database = Kysely<Schema>;

export interface DatabaseOptions extends PatienceOptions {
  /** `mysql://user:password@host:port/database` */
  url: string;
  /** Most connections open at once. Default 10. */
  poolSize?: number;
  /** Most statements waiting for a connection; one more fails as overloaded. Default 1,000. */
  queueLimit?: number;
  /** Longest wait of a statement while all connections are in use; then it fails as overloaded. Default 800. */
  queueWaitMs?: number;
  /** For one connection to be made. Default 2,000. */
  connectTimeoutMs?: number;
  /** For one statement to be answered; then its connection is destroyed and its outcome is unknown. Default 10,000. */
  statementTimeoutMs?: number;
}

type Statement = Pick<CompiledQuery, 'sql' | 'parameters'>;

// What is set here is never left to the server's configuration. READ COMMITTED: under REPEATABLE READ a claim also
// locks the gaps that producers insert into. wait_timeout: a pool, not the server, decides when an idle connection ends.
// A lock is waited for less long than a statement may take, so that the server gives up first and says so.
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
  const pool = createPool({
    uri: options.url,
    connectionLimit: options.poolSize ?? 10,
    queueLimit: options.queueLimit ?? 1_000,
    connectTimeout: options.connectTimeoutMs ?? 2_000,
    charset: 'utf8mb4',
    timezone: 'Z',
    supportBigNumbers: true,
  });
  const { statementTimeoutMs = 10_000, queueWaitMs = 800 } = options;
  const patiently = createPatience(options);
  const { first, giveBack } = createHandOver<PoolConnection>((connection) => connection.release());
  let hasWorked = false;
  const run = async (statement: Statement, giveUpAt: number) => {
    const acquired = first((standInLine) => acquire(pool, giveUpAt, queueWaitMs, standInLine));
    const connection = await acquired.catch((cause: unknown) => {
      throw new DatabaseError(cause, false, hasWorked);
    });
    hasWorked = true;
    return runOnce(connection, statement, statementTimeoutMs, giveBack);
  };
  const dialect = createDialect({
    execute: async (statement) => toQueryResult(await patiently((giveUpAt) => run(statement, giveUpAt))),
    // A frozen server never says goodbye, and is not waited for.
    destroy: () =>
      Promise.race([
        new Promise<void>((resolve) => pool.end(() => resolve())),
        sleep(1_000, undefined, { ref: false }),
      ]),
  });
  return new Kysely<Schema>({ dialect });
}

async function runOnce(
  connection: PoolConnection,
  statement: Statement,
  statementTimeoutMs: number,
  giveBack: (connection: PoolConnection) => void,
): Promise<DriverResult> {
  try {
    const result = await query(connection, statement, statementTimeoutMs);
    giveBack(connection);
    return result;
  } catch (cause) {
    // A read that was lost on the way may be sent again; nobody could tell.
    const error = new DatabaseError(cause, !/^\s*select\b/i.test(statement.sql));
    // Only a connection that the server has just answered on is known to be good.
    if (error.fault === 'unavailable' || error.fault === 'unknown') connection.destroy();
    else giveBack(connection);
    throw error;
  }
}

const prepared = new WeakSet<object>();

/**
 * A connection with our session settings, or an error: by `giveUpAt`, or when a server that let us in answers no more.
 * `onQueued` is called if the pool neither has one nor may make another.
 */
async function acquire(
  pool: Pool,
  giveUpAt: number,
  queueWaitMs: number,
  onQueued: () => void,
): Promise<PoolConnection> {
  const connection = await takeFrom(pool, Math.max(giveUpAt - performance.now(), 50), queueWaitMs, onQueued);
  if (prepared.has(connection)) return connection;
  try {
    connection.on('error', () => {}); // without a listener the event would end the process; the statement fails anyway
    for (const sql of SESSION) await query(connection, { sql, parameters: [] }, 2_000);
  } catch (error) {
    connection.destroy();
    throw error;
  }
  prepared.add(connection);
  return connection;
}

/** mysql2 waits for a free connection without a limit. One that comes too late goes straight back to the pool. */
function takeFrom(pool: Pool, makingMs: number, queueWaitMs: number, onQueued: () => void): Promise<PoolConnection> {
  return new Promise((resolve, reject) => {
    let late = false;
    const giveUp = () => {
      late = true;
      reject(new PoolBusyError('no connection was free in time'));
    };
    let limit = setTimeout(giveUp, makingMs);
    const onEnqueue = () => {
      onQueued();
      clearTimeout(limit);
      limit = setTimeout(giveUp, Math.min(makingMs, queueWaitMs));
    };
    // Said before getConnection returns.
    pool.on('enqueue', onEnqueue);
    pool.getConnection((error, connection) => {
      clearTimeout(limit);
      // mysql2 has no code for it.
      if (error?.message === 'Queue limit reached.') reject(new PoolBusyError(error.message));
      else if (error) reject(error);
      else if (late) connection.release();
      else resolve(connection);
    });
    pool.off('enqueue', onEnqueue);
  });
}

/** mysql2 has no time limit that ends a statement: its own hands a connection back that is still busy. */
function query(connection: PoolConnection, { sql, parameters }: Statement, timeoutMs: number): Promise<DriverResult> {
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
