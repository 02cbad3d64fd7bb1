import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { hasEnded, spawnChild, stopProcess } from '../child-process.ts';
import { asRoot, prepareDataFolder, rememberServer } from './data-folder.ts';
import { findServerProgram, type ServerProgram } from './server-program.ts';

export interface LocalServerOptions {
  /** Holds the data and the log; made when missing. Data survives a restart. */
  directory: string;
  port: number;
  /** `mysqld` or `mariadbd`; default: the first that the machine has. */
  program?: string | undefined;
  /** Further options of the server, which win over ours. */
  args?: string[];
  /** Told of what takes long. */
  say?: (line: string) => void;
  /** Once aborted, a server that is not ready is stopped, and is what `startLocalServer` resolves to. */
  signal?: AbortSignal | undefined;
}

/** Those of local-server.sql. `user` may do everything. */
export type Account = 'user' | 'producer' | 'consumer';

export interface LocalServer {
  pid: number;
  /** For `user`. */
  url: (database?: string) => string;
  /** Resolves when the server has ended, for whatever reason. */
  ended: Promise<void>;
  stop: () => Promise<void>;
}

const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 30_000;
export const PID_FILE = 'server.pid';
const ACCOUNTS = fileURLToPath(new URL('local-server.sql', import.meta.url));

/**
 * A private MySQL or MariaDB on 127.0.0.1, with its commits as durable as the disk. Rejects with a sentence where we know
 * why it cannot start, else with the end of its log.
 */
export async function startLocalServer(options: LocalServerOptions): Promise<LocalServer> {
  const { directory, port, args = [], say = () => {}, signal } = options;
  if (await answers(port)) {
    throw new Error(`port ${port} is in use by a running server; choose another with MYSQL_PORT`);
  }
  const program = await findServerProgram(options.program);
  const data = await prepareDataFolder(directory, program, say);
  // Another server may run on this data, with its own log.
  const logPath = join(directory, `starting-${randomBytes(4).toString('hex')}.log`);
  const log = await open(logPath, 'wx');
  const server = spawnChild(program.path, [...serverArgs(directory, data, port, program), ...args], {
    stdio: ['ignore', log.fd, log.fd],
  });
  await log.close();
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()).once('error', () => resolve()));
  const stop = () => stopProcess(server, STOP_LIMIT_MS);
  try {
    await waitUntilReady(server, { directory, port, program, logPath, signal });
  } catch (error) {
    await stopProcess(server, 0);
    await rm(logPath);
    throw error;
  }
  if (signal?.aborted) {
    await stop();
    await rm(logPath);
  } else {
    await rename(logPath, join(directory, 'server.log'));
    await rememberServer(directory, program);
  }
  return { pid: server.pid!, url: (database) => localServerUrl(port, 'user', database), ended, stop };
}

interface StartingServer {
  directory: string;
  port: number;
  program: ServerProgram;
  logPath: string;
  signal: AbortSignal | undefined;
}

// Both servers try again for a minute. Their locks hold across containers, and end with whoever has them.
const IN_USE = /Unable to lock \.\/ibdata1|Can't lock aria control file/;
const READY = /ready for connections/;

async function waitUntilReady(server: ChildProcess, starting: StartingServer): Promise<void> {
  const { directory, port, program, logPath, signal } = starting;
  const giveUpAt = Date.now() + START_LIMIT_MS;
  // Of two that start at once on one port it may be the other that answers; only one has the data, and writes its pid.
  const pid = () => readFile(join(directory, PID_FILE), 'utf8').catch(() => '');
  while (!signal?.aborted) {
    const isAnswered = await answers(port);
    const log = (await readFile(logPath, 'utf8')).trim();
    // Read last: a server that answers, or calls itself ready, has written it.
    const isOurs = Number(await pid()) === server.pid;
    if (isAnswered && isOurs) return;
    if (isAnswered && READY.test(log)) refuseWrapper(server, port, program);
    if (IN_USE.test(log))
      throw new Error(`${directory} is in use by another server. Is it running already, or still stopping?`);
    if (hasEnded(server) || Date.now() > giveUpAt) {
      throw new Error(`${program.path} did not start on port ${port}:\n${log.split('\n').slice(-5).join('\n')}`);
    }
    await sleep(20);
  }
}

/** What we have started is not the server but its parent. The server would outlive it, so all of their group is ended. */
function refuseWrapper(wrapper: ChildProcess, port: number, { path }: ServerProgram): never {
  process.kill(-wrapper.pid!);
  throw new Error(
    `a server answers on port ${port}, but it is not the process that was started: ${path} must run it with exec`,
  );
}

/** Where a private server on this port is found. */
export function localServerUrl(port: number, account: Account, database = 'messages'): string {
  return `mysql://${account}:password@127.0.0.1:${port}/${database}`;
}

function serverArgs(directory: string, data: string, port: number, { product }: ServerProgram): string[] {
  return [
    '--no-defaults',
    ...asRoot(),
    `--datadir=${data}`,
    `--tmpdir=${join(directory, 'tmp')}`,
    `--init-file=${ACCOUNTS}`,
    '--bind-address=127.0.0.1',
    `--port=${port}`,
    // Relative to the data folder, for a socket's path may hold only about 100 bytes.
    '--socket=server.sock',
    `--pid-file=${join(directory, PID_FILE)}`,
    '--skip-name-resolve',
    '--max-connections=200',
    // `user` may do everything and its password is known: nobody on this machine reads files through the server.
    `--secure-file-priv=${join(directory, 'files')}`,
    // A commit that was answered survives the crash of the server and of the machine.
    '--innodb-flush-log-at-trx-commit=1',
    '--sync-binlog=1',
    '--innodb-buffer-pool-size=256M',
    // MySQL's own 64 MB would be memory of a laptop that no transaction of ours needs.
    '--innodb-log-buffer-size=16M',
    '--performance-schema=OFF',
    ...(product === 'MariaDB' ? [] : ['--mysqlx=OFF', '--binlog-expire-logs-seconds=86400']),
  ];
}

/** Whether a server greets on this port: it speaks first, and only when it is ready for logins. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const settle = (ready: boolean) => {
      socket.destroy();
      resolve(ready);
    };
    socket.once('data', () => settle(true));
    // Also when it closes the connection without a word.
    socket.once('error', () => settle(false)).once('close', () => settle(false));
    socket.setTimeout(500, () => settle(false));
  });
}
