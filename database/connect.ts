import { setTimeout as sleep } from 'node:timers/promises';
import { Kysely } from 'kysely';
import * as driver from './connection.ts';
import { createConnectionPool } from './connection-pool.ts';
import { DatabaseError } from './database-error.ts';
import { createDialect } from './dialect.ts';
import { toQueryResult } from './query-result.ts';
import { createRetry, type RetryOptions } from './retry.ts';
import type { Schema } from './schema.ts';
import { createServer } from './server.ts';
import { createTransactions, keepTransactions } from './transactions.ts';

export type Database = Kysely<Schema>;

export interface DatabaseOptions extends RetryOptions {
  /**
   * `mysql://user:password@host:port/database`, or with several hosts, `…@h1:3306,h2:3306/database`: then the one that takes
   * writes is found and followed.
   */
  url: string;
  /** Limit of the connections open at once. @default 10 */
  poolSize?: number;
  /** Limit of the statements that wait for a connection; one more fails as overloaded. @default 1_000 */
  queueLimit?: number;
  /** How long a statement waits while all connections are in use; then it fails as overloaded. @default 800 */
  queueWaitMs?: number;
  /** For one connection to be made, and once more for its session settings. @default 2_000 */
  connectTimeoutMs?: number;
  /** For one statement to be answered; then its connection is dropped and its outcome is unknown. @default 10_000 */
  statementTimeoutMs?: number;
  /** Limit of the transactions of handlers at once, on connections beside those of the pool. @default 10 */
  transactionLimit?: number;
  /** How long one of them may take; then it is rolled back. @default 5_000 */
  transactionMs?: number;
}

// One that a frozen server keeps busy cannot say goodbye, and is not waited for.
const GOODBYE_MS = 1_000;

/**
 * A Kysely that keeps time limits and retries what was certainly not applied. It connects on first use, and throws
 * nothing but DatabaseError. `db.transaction()` is refused: transactions live in routines, but for those of handlers.
 */
export function connectDatabase(options: DatabaseOptions): Database {
  const { url, poolSize = 10, queueLimit = 1_000, queueWaitMs = 800 } = options;
  const { connectTimeoutMs = 2_000, statementTimeoutMs = 10_000 } = options;
  const server = createServer({ url, connectTimeoutMs });
  const pool = createConnectionPool<driver.Connection>({
    open: () => server.open(statementTimeoutMs),
    close: driver.cutConnection,
    hasEnded: server.hasEnded,
    whyNotMade: server.whyNotMade,
    size: poolSize,
    queueLimit,
    queueWaitMs,
  });
  const withRetries = createRetry(options);
  const { transactionLimit: size = 10, transactionMs: limitMs = 5_000 } = options;
  let hasWorked = false;

  async function run(statement: driver.Statement, deadline: number): Promise<driver.QueryResult> {
    const connection = await pool.take(deadline).catch((cause: unknown) => {
      throw new DatabaseError(cause, false, hasWorked);
    });
    hasWorked = true;
    try {
      const result = await driver.query(connection, statement, statementTimeoutMs);
      pool.giveBack(connection);
      return result;
    } catch (cause) {
      pool.drop(connection);
      // A read that was lost on the way may be sent again; nobody could tell.
      const error = new DatabaseError(cause, !/^\s*(select|show)\b/i.test(statement.sql));
      if (error.fault === 'unavailable' || error.fault === 'unknown') server.doubt();
      throw error;
    }
  }

  const dialect = createDialect({
    execute: async (statement) => toQueryResult(await withRetries((deadline) => run(statement, deadline))),
    destroy: async () => {
      transactions.destroy();
      const connections = pool.end();
      await Promise.race([
        Promise.all(connections.map(driver.endConnection)),
        sleep(GOODBYE_MS, undefined, { ref: false }),
      ]);
      connections.forEach(driver.cutConnection);
      server.end();
    },
  });
  const db = new Kysely<Schema>({ dialect });
  const transactions = createTransactions({ db, server, connectTimeoutMs, size, limitMs });
  keepTransactions(db, transactions);
  return db;
}
