import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { connectDatabase, type Database, type DatabaseOptions } from '../database/connect.ts';
import { loadSchema } from '../database/load-schema.ts';
import { freePort } from '../start/free-port.ts';
import { type Account, localServerUrl, startLocalServer } from '../start/mysql/local-server.ts';
import { copyFreshServer } from './fresh-server.ts';

interface OwnServerOptions extends Partial<DatabaseOptions> {
  /** @default 'user' */
  account?: Account;
}

/** Makes a pool that ends with the test. */
export type ConnectToOwnServer = (options?: OwnServerOptions) => Database;

/**
 * A server of the test's own with the schema loaded, for what would disturb the tests that share one. It is gone when the
 * test is over.
 */
export async function startOwnServer(args: string[] = []): Promise<ConnectToOwnServer> {
  const directory = await mkdtemp(join(tmpdir(), 'event-queue-own-'));
  await copyFreshServer(directory);
  const port = await freePort();
  const server = await startLocalServer({ directory, port, args });
  const pools: Database[] = [];
  onTestFinished(async () => {
    await Promise.all(pools.map((pool) => pool.destroy()));
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  });
  const connect = ({ account = 'user', ...options }: OwnServerOptions = {}) => {
    const pool = connectDatabase({ url: localServerUrl(port, account), ...options });
    pools.push(pool);
    return pool;
  };
  await loadSchema(connect());
  return connect;
}
