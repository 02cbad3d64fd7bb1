import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../start/free-port.ts';
import { copyFreshServer } from './fresh-server.ts';
import { type NpmProcess, startNpm } from './npm-process.ts';

export interface WholeSystem extends NpmProcess {
  /** nginx. */
  front: string;
  databaseUrl: string;
  wordServiceUrl: string;
  environment: Record<string, string>;
}

/** A folder for the data of one test, and ports that nobody uses. At a first start `npm start` makes the server's data. */
export async function prepareSystem({
  isFirstStart = false,
} = {}): Promise<{ environment: Record<string, string> } & AsyncDisposable> {
  const directory = await mkdtemp(join(tmpdir(), 'event-queue sistema à parte-'));
  if (!isFirstStart) await copyFreshServer(join(directory, 'mysql'));
  const [nginx, first, second, mysql, words] = await Promise.all(Array.from({ length: 5 }, freePort));
  return {
    environment: {
      DATA_DIRECTORY: directory,
      NGINX_PORT: String(nginx),
      PRODUCER_PORTS: `${first},${second}`,
      MYSQL_PORT: String(mysql),
      WORD_SERVICE_PORT: String(words),
    },
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}

export interface SystemOptions {
  /** Of `npm start`. */
  args?: string[];
  /** Another clone. @default this one */
  cwd?: string;
}

/** `npm start`, until it says that it is ready. */
export async function startSystem(
  environment: Record<string, string>,
  { args = [], cwd = process.cwd() }: SystemOptions = {},
): Promise<WholeSystem> {
  return {
    ...(await startNpm(['start', '--', ...args], { env: environment, ready: 'ready after', cwd })),
    front: `http://127.0.0.1:${environment['NGINX_PORT']}`,
    databaseUrl: `mysql://user:password@127.0.0.1:${environment['MYSQL_PORT']}/messages`,
    wordServiceUrl: `http://127.0.0.1:${environment['WORD_SERVICE_PORT']}`,
    environment,
  };
}
