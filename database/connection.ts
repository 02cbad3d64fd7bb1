import type { Duplex } from 'node:stream';
import type { CompiledQuery } from 'kysely';
import { type Connection, createConnection, type QueryResult } from 'mysql2';
import { sessionStatement } from './session.ts';

/** One connection of the driver. */
export type { Connection, QueryResult };

export type Statement = Pick<CompiledQuery, 'sql' | 'parameters'>;

export interface ConnectionOptions {
  url: string;
  connectTimeoutMs: number;
  statementTimeoutMs: number;
  /** A question of database/writer-question.ts, which the server is asked with the session settings. @default none */
  question?: string;
}

// SERVER_STATUS_IN_TRANS of the protocol.
const IN_TRANSACTION = 1;

const ended = new WeakSet<Connection>();

/** Whether it can serve no more, as far as the network or the server has said so. */
export function hasEnded(connection: Connection): boolean {
  return ended.has(connection);
}

/** A connection with our session settings, or an error; also from a server that lets us in and answers no more. */
export async function openConnection(options: ConnectionOptions): Promise<Connection> {
  const { connectTimeoutMs, statementTimeoutMs, question } = options;
  const connection = startConnecting(options);
  const onEnded = () => void ended.add(connection);
  // Without a listener the first would end the process. Also what the server says when it closes an idle connection.
  connection.on('error', onEnded).on('end', onEnded);
  try {
    await new Promise<void>((resolve, reject) => {
      connection.connect((error) => (error ? reject(error) : resolve()));
    });
    await query(connection, { sql: sessionStatement(statementTimeoutMs, question), parameters: [] }, connectTimeoutMs);
    return connection;
  } catch (error) {
    cutConnection(connection);
    throw error;
  }
}

function startConnecting({ url, connectTimeoutMs }: ConnectionOptions): Connection {
  try {
    return createConnection({
      uri: url,
      connectTimeout: connectTimeoutMs,
      charset: 'utf8mb4',
      timezone: 'Z',
      supportBigNumbers: true,
    });
  } catch (error) {
    throw withCode('BAD_DATABASE_URL', `DATABASE_URL cannot be read: ${String(error)}`);
  }
}

/** The answer to one statement that is a transaction of its own. After an error the connection must be dropped. */
export async function query(connection: Connection, statement: Statement, timeoutMs: number): Promise<QueryResult> {
  const { result, isInTransaction } = await send(connection, statement, timeoutMs);
  if (isInTransaction) throw withCode('TRANSACTION_OPEN', 'the statement left a transaction open');
  return result;
}

export interface Answer {
  result: QueryResult;
  /** By the server's own word; it says nothing of it with rows. */
  isInTransaction: boolean | undefined;
}

/**
 * The answer to one statement. After an error the connection must be dropped: it may still be busy, or hold a transaction
 * that only its end rolls back, and an error packet does not say so.
 */
export function send(connection: Connection, { sql, parameters }: Statement, timeoutMs: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    // mysql2's own time limit hands a connection back that is still busy.
    const limit = setTimeout(() => reject(withCode('TIME_LIMIT', `no answer within ${timeoutMs} ms`)), timeoutMs);
    connection.query<QueryResult>(sql, [...parameters], (error, result) => {
      clearTimeout(limit);
      if (error) reject(withoutSql(error));
      else resolve({ result, isInTransaction: isInTransaction(result) });
    });
  });
}

/** mysql2's own `destroy` only closes our side, and the socket stays for as long as a server does not answer. */
export function cutConnection(connection: Connection): void {
  connection.destroy();
  (connection as Connection & { stream: Duplex }).stream.destroy();
}

/** Ends what is under way on it as well: that fails at once with `why`, and a write among it is unknown. */
export function giveUpConnection(connection: Connection, why: string): void {
  (connection as Connection & { stream: Duplex }).stream.destroy(withCode('GIVEN_UP', why));
}

/** Calls back when the connection is gone, whoever ended it. */
export function onceClosed(connection: Connection, callback: () => void): void {
  (connection as Connection & { stream: Duplex }).stream.once('close', callback);
}

/** Resolves when the server has been told and has closed the connection. */
export function endConnection(connection: Connection): Promise<void> {
  return new Promise((resolve) => {
    connection.end(() => resolve());
  });
}

/** Of a CALL the last result has it. */
function isInTransaction(result: QueryResult): boolean | undefined {
  const header = Array.isArray(result) ? result.at(-1) : result;
  if (header === undefined || !('serverStatus' in header)) return undefined;
  return (header.serverStatus & IN_TRANSACTION) !== 0;
}

/** mysql2 hangs the statement on its errors, with all that a batch carries: nothing for a log. */
function withoutSql(error: Error): Error {
  Reflect.deleteProperty(error, 'sql');
  return error;
}

function withCode(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
