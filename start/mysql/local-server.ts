import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { hasEnded, spawnChild, stopProcess } from '../child-process.ts';
import { findProgram } from '../programs.ts';

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
const ACCOUNTS = fileURLToPath(new URL('local-server.sql', import.meta.url));
const run = promisify(execFile);

/** A private MySQL or MariaDB on 127.0.0.1, with its commits as durable as the disk. Rejects with the end of its log. */
export async function startLocalServer(options: LocalServerOptions): Promise<LocalServer> {
  const { directory, port, say = () => {} } = options;
  if (await answers(port)) throw new Error(`port ${port} is in use by a server that runs already`);
  const program = options.program ?? findProgram('mysqld', 'mariadbd');
  if (!program) throw new Error('neither mysqld nor mariadbd is on the PATH');
  const data = join(directory, 'data');
  const isMariaDb = (await run(program, ['--no-defaults', '--version'])).stdout.includes('MariaDB');
  // A server that starts removes the temporary tables that it finds, in /tmp also those of others; hence a folder of its own.
  for (const folder of ['files', 'tmp']) await mkdir(join(directory, folder), { recursive: true });
  if (!existsSync(data)) {
    say(`preparing a private ${isMariaDb ? 'MariaDB' : 'MySQL'} in ${directory} …`);
    await initialise(program, isMariaDb, directory);
  }
  const logPath = join(directory, 'server.log');
  const log = await open(logPath, 'w');
  const server = spawnChild(program, [...serverArgs(directory, data, port, isMariaDb), ...(options.args ?? [])], {
    stdio: ['ignore', log.fd, log.fd],
  });
  await log.close();
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()).once('error', () => resolve()));
  const giveUpAt = Date.now() + START_LIMIT_MS;
  while (!(await answers(port))) {
    if (hasEnded(server) || Date.now() > giveUpAt) {
      await stopProcess(server, 0);
      const lines = (await readFile(logPath, 'utf8')).trim().split('\n').slice(-5).join('\n');
      throw new Error(`${program} did not start on port ${port}:\n${lines}`);
    }
    await sleep(20);
  }
  return {
    pid: server.pid!,
    url: (database) => localServerUrl(port, 'user', database),
    ended,
    stop: () => stopProcess(server, 30_000),
  };
}

/** Where a private server on this port is found. */
export function localServerUrl(port: number, account: Account, database = 'messages'): string {
  return `mysql://${account}:password@127.0.0.1:${port}/${database}`;
}

/** In a folder of its own first: what an interrupted first start leaves behind is never taken for data. */
async function initialise(program: string, isMariaDb: boolean, directory: string): Promise<void> {
  const fresh = join(directory, 'data.new');
  const args = ['--no-defaults', ...asRoot()];
  await rm(fresh, { recursive: true, force: true });
  if (isMariaDb) {
    const installer = findProgram('mariadb-install-db', 'mysql_install_db');
    if (!installer) throw new Error('mariadb-install-db is missing; on Debian it needs mariadb-client-core as well');
    // A shell script that does not quote: it is given paths without spaces, seen from this folder, and from the data's.
    const options = [
      '--datadir=./data.new',
      '--tmpdir=../tmp',
      '--auth-root-authentication-method=normal',
      '--skip-test-db',
    ];
    await run(installer, [...args, ...options], { cwd: directory });
  } else {
    await run(program, [...args, '--initialize-insecure', `--datadir=${fresh}`, `--tmpdir=${join(directory, 'tmp')}`]);
  }
  await rename(fresh, join(directory, 'data'));
}

function serverArgs(directory: string, data: string, port: number, isMariaDb: boolean): string[] {
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
    `--pid-file=${join(directory, 'server.pid')}`,
    '--skip-name-resolve',
    '--max-connections=200',
    // `user` may do everything and its password is known: nobody on this machine reads files through the server.
    `--secure-file-priv=${join(directory, 'files')}`,
    // A commit that was answered survives the crash of the server and of the machine.
    '--innodb-flush-log-at-trx-commit=1',
    '--sync-binlog=1',
    '--innodb-buffer-pool-size=256M',
    '--performance-schema=OFF',
    ...(isMariaDb ? [] : ['--mysqlx=OFF', '--binlog-expire-logs-seconds=86400']),
  ];
}

function asRoot(): string[] {
  return process.getuid?.() === 0 ? ['--user=root'] : [];
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
