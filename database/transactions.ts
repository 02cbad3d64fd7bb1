import type { Database } from './connect.ts';
import * as driver from './connection.ts';
import { createConnectionPool } from './connection-pool.ts';
import { DatabaseError } from './database-error.ts';
import type { Server } from './server.ts';
import {
  createTransactionSession,
  type Transaction,
  TransactionLostError,
  type TransactionSession,
} from './transaction-session.ts';

export interface TransactionsOptions {
  /** For what is to be done after a commit. */
  db: Database;
  server: Server;
  /** For the settings of a connection. */
  connectTimeoutMs: number;
  /** Limit of the transactions at once. */
  size: number;
  /** A transaction that takes longer is ended: by us, and by the server if we are frozen. */
  limitMs: number;
}

interface TransactionLimits {
  /** How long it may take, if that is less than any may take. */
  limitMs?: number;
  /** Once aborted, it is rolled back. */
  signal?: AbortSignal;
}

export interface Transactions {
  /** Commits what `work` did, or rolls it back if it rejects. Rejects with its error, or a TransactionLostError. */
  run: <T>(work: (transaction: Transaction) => Promise<T>, limits?: TransactionLimits) => Promise<T>;
  destroy: () => void;
  /** How long one may take. */
  limitMs: number;
}

/** Transactions on connections of their own: no setting of theirs gets into the pool, and they wait for none of its. */
export function createTransactions(options: TransactionsOptions): Transactions {
  const { db, server, limitMs, size } = options;
  const pool = createConnectionPool<driver.Connection>({
    open: () => openConnection(options),
    close: driver.cutConnection,
    hasEnded: server.hasEnded,
    whyNotMade: server.whyNotMade,
    size,
    queueLimit: Infinity,
    queueWaitMs: limitMs,
  });

  async function run<T>(work: (transaction: Transaction) => Promise<T>, limits: TransactionLimits = {}): Promise<T> {
    const connection = await pool.take(performance.now() + limitMs).catch((cause: unknown) => {
      throw new TransactionLostError('no connection for a transaction', {
        cause: new DatabaseError(cause, false),
      });
    });
    const session = createTransactionSession(connection, Math.min(limitMs, limits.limitMs ?? limitMs));
    try {
      await session.send('START TRANSACTION');
      const result = await session.withinLimit(work(session.transaction), limits.signal);
      await session.send('COMMIT');
      pool.giveBack(connection);
      // It makes nothing true that is not: without it something is found a little later.
      for (const act of session.acts) act(db).catch(() => {});
      return result;
    } catch (error) {
      const lost = session.transaction.lost();
      if (lost) server.doubt();
      await endBadly(connection, session);
      throw lost ?? error;
    }
  }

  /** Rolled back, a connection may serve again; after anything unclear it is dropped, which rolls back as well. */
  async function endBadly(connection: driver.Connection, session: TransactionSession): Promise<void> {
    if (session.transaction.lost()) return pool.drop(connection);
    try {
      await session.send('ROLLBACK');
      pool.giveBack(connection);
    } catch {
      pool.drop(connection);
    }
  }

  return {
    run,
    limitMs,
    destroy: () => {
      for (const connection of pool.end()) driver.cutConnection(connection);
    },
  };
}

/** Frozen, we send nothing, and the server rolls back: so soon do others get what we hold. */
async function openConnection(options: TransactionsOptions): Promise<driver.Connection> {
  const { server, connectTimeoutMs, limitMs } = options;
  const connection = await server.open(limitMs);
  const seconds = Math.max(1, Math.ceil(limitMs / 1_000));
  // Our own limit comes before that of a lock, which would look like something that passes.
  const limits = `SET SESSION wait_timeout = CAST(LEAST(@@GLOBAL.wait_timeout, ${seconds}) AS UNSIGNED), innodb_lock_wait_timeout = ${seconds + 1}`;
  try {
    await driver.query(connection, { sql: limits, parameters: [] }, connectTimeoutMs);
    return connection;
  } catch (error) {
    driver.cutConnection(connection);
    throw error;
  }
}

const transactionsOf = new WeakMap<object, Transactions>();

/** Those of a database, which has them for as long as it is connected. */
export function transactionsFor(db: object): Transactions {
  const transactions = transactionsOf.get(db);
  if (!transactions) throw new Error('transactions need a database of connectDatabase()');
  return transactions;
}

export function keepTransactions(db: object, transactions: Transactions): void {
  transactionsOf.set(db, transactions);
}
