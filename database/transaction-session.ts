import { type CompiledQuery, Kysely, type QueryResult } from 'kysely';
import { type Act, collectActs } from './after-commit.ts';
import type { Database } from './connect.ts';
import * as driver from './connection.ts';
import { DatabaseError } from './database-error.ts';
import { createDialect } from './dialect.ts';
import { toQueryResult } from './query-result.ts';

/** The tables are the user's own, of which we know nothing. */
// oxlint-disable-next-line typescript/no-explicit-any
export type UserTransaction = Kysely<any>;

/** The transaction is not there any more, or cannot be trusted: it was, or will be, rolled back. */
export class TransactionLostError extends Error {
  override readonly name = 'TransactionLostError';
}

export interface Transaction {
  /** For our own statements. */
  db: Database;
  /** For one handler. Its first statement makes a savepoint. */
  begin: (name: string) => HandlerTransaction;
  /**
   * To be called before our own statements, once handlers had their turn: rejects with a TransactionLostError if the server says
   * that the transaction is not there any more. What is sent then would commit by itself.
   */
  check: () => Promise<void>;
  /** Undefined while it can be trusted. */
  lost: () => TransactionLostError | undefined;
}

export interface HandlerTransaction {
  trx: UserTransaction;
  /** From now on `trx` refuses everything: a forgotten await must not reach the next handler's savepoint. */
  revoke: () => void;
  /** Undoes what was written through `trx`. */
  rollback: () => Promise<void>;
}

// The limit of the whole transaction comes first, and says more.
const LATER_MS = 1_000;

// What ends a transaction, begins another, or commits by the way.
const FORBIDDEN =
  /^(begin|start\s+transaction|commit|rollback|savepoint|release|xa|set\s+(session\s+|@@(session\.)?)?(autocommit|transaction)|create|alter|drop|rename|truncate|lock|unlock|grant|revoke|analyze|optimize|repair|flush|load|install|uninstall)\b/i;
const COMMENTS = /^(\s|--[^\n]*\n|#[^\n]*\n|\/\*[^!M][\s\S]*?\*\/|\()+/;

export type TransactionSession = ReturnType<typeof createTransactionSession>;

/** One transaction on a connection that is its own for so long. */
export function createTransactionSession(connection: driver.Connection, limitMs: number) {
  let lost: TransactionLostError | undefined;
  /** By a handler. */
  let wasUsed = false;
  let sent = 0;
  /** By the answer to what was sent last; undefined if it did not say. */
  let isThere: boolean | undefined;
  const acts: Act[] = [];

  function lose(message: string, cause?: unknown): TransactionLostError {
    lost ??= new TransactionLostError(message, { cause });
    return lost;
  }

  async function execute(statement: driver.Statement): Promise<driver.Answer> {
    if (lost) throw lost;
    const nth = ++sent;
    isThere = undefined;
    try {
      const answer = await driver.send(connection, statement, limitMs + LATER_MS);
      if (nth === sent) isThere = answer.isInTransaction;
      return answer;
    } catch (cause) {
      const error = new DatabaseError(cause, true);
      // Whether a transaction outlives an error of the other kinds, the server does not say.
      if (error.fault !== 'permanent') lose(`the transaction was lost: ${error.message}`, error);
      throw error;
    }
  }

  const send = (text: string) => execute({ sql: text, parameters: [] });

  async function check(): Promise<void> {
    if (lost) throw lost;
    if (!wasUsed) return;
    if (!(isThere ?? (await send('DO 0')).isInTransaction))
      throw lose('the transaction was ended by a statement that commits');
  }

  function begin(name: string): HandlerTransaction {
    let isRevoked = false;
    let hasSavepoint = false;
    const run = async (statement: CompiledQuery): Promise<QueryResult<unknown>> => {
      if (isRevoked) throw new Error(`${name} uses its transaction after its handler has ended: an await is missing`);
      const [word] = FORBIDDEN.exec(statement.sql.replace(COMMENTS, '')) ?? [];
      if (word)
        throw new Error(`${name} may not use ${word.toUpperCase()} in a transaction: it would end the transaction`);
      if (!hasSavepoint) {
        hasSavepoint = true;
        wasUsed = true;
        await send('SAVEPOINT handler');
      }
      const { result, isInTransaction } = await execute(statement);
      if (isInTransaction === false) throw lose(`${name} used a statement that commits: ${statement.sql.slice(0, 60)}`);
      return toQueryResult(result);
    };
    const trx = lazily(() => kyselyOf(run));
    collectActs(trx, acts);
    return {
      trx,
      revoke: () => {
        isRevoked = true;
      },
      rollback: async () => {
        if (hasSavepoint) await send('ROLLBACK TO SAVEPOINT handler');
      },
    };
  }

  async function withinLimit<T>(work: Promise<T>, signal?: AbortSignal): Promise<T> {
    const limit = Promise.withResolvers<never>();
    const end = (message: string) => {
      // Also a statement that is under way: the server rolls back as soon as it notices.
      driver.cutConnection(connection);
      limit.reject(lose(message));
    };
    const timer = setTimeout(() => end(`the transaction took longer than ${limitMs} ms`), limitMs);
    const onAbort = () => end('the transaction was given up');
    if (signal?.aborted) onAbort();
    signal?.addEventListener('abort', onAbort);
    try {
      return await Promise.race([work, limit.promise]);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    }
  }

  const db = kyselyOf(async (statement) => toQueryResult((await execute(statement)).result));
  const transaction: Transaction = { db, begin, check, lost: () => lost };
  return { send, transaction, withinLimit, acts };
}

function kyselyOf(execute: (statement: CompiledQuery) => Promise<QueryResult<unknown>>): UserTransaction {
  return new Kysely({ dialect: createDialect({ execute, destroy: async () => {} }) });
}

/** Most handlers of many events in one transaction use it, but those that do not should not pay for it. */
function lazily(create: () => UserTransaction): UserTransaction {
  let created: UserTransaction | undefined;
  return new Proxy({} as UserTransaction, {
    get(_, name) {
      created ??= create();
      const member: unknown = Reflect.get(created, name, created);
      return typeof member === 'function' ? member.bind(created) : member;
    },
  });
}
