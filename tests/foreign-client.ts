import { type Connection, createConnection } from 'mysql2/promise';
import { onTestFinished } from 'vitest';

/** A connection of a client that is not ours, with the server's settings and transactions of its own; ended with the test. */
export async function connectForeignClient(url: string): Promise<Connection> {
  const connection = await createConnection(url);
  onTestFinished(() => connection.end());
  return connection;
}

/** The same in the isolation of our own connections. What a deadlock has undone it does not send again. */
export async function connectWithoutRetry(url: string): Promise<Connection> {
  const connection = await connectForeignClient(url);
  await connection.query('SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED');
  return connection;
}
