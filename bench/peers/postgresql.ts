import { execFile } from 'node:child_process';
import { globSync } from 'node:fs';
import { chown, mkdir, open, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { hasEnded, spawnChild, stopProcess } from '../../start/child-process.ts';
import { freePort } from '../../start/free-port.ts';
import { findProgram } from '../../start/programs.ts';
import { MissingProgramError, type Server } from './server.ts';

const run = promisify(execFile);

// fsync, synchronous_commit and full_page_writes are on by default; said here because they are what is compared. The
// buffers are as large as those of our MySQL. A larger max_wal_size spares it checkpoints in the middle of a burst.
const SETTINGS = {
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  shared_buffers: '256MB',
  max_wal_size: '2GB',
};

export async function startPostgresql(directory: string): Promise<Server> {
  const programs = findPrograms();
  const data = join(directory, 'data');
  const user = await ordinaryUser();
  await mkdir(directory, { recursive: true });
  if (user) await chown(directory, user.uid, user.gid);
  await run(...as(user, programs.initdb, ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-locale']), {
    cwd: directory,
  });
  const port = await freePort();
  const settings = Object.entries({ ...SETTINGS, listen_addresses: '127.0.0.1', unix_socket_directories: '', port });
  const log = await open(join(directory, 'server.log'), 'w');
  const args = ['-D', data, ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`])];
  // SIGINT is its fast shutdown; at SIGTERM it would wait for its clients.
  const server = spawnChild(...as(user, programs.postgres, args, 'INT'), {
    stdio: ['ignore', log.fd, log.fd],
    cwd: directory,
  });
  await log.close();
  const urlOf = (database: string) => `postgres://postgres@127.0.0.1:${port}/${database}`;
  for (const giveUpAt = Date.now() + 30_000; ; await sleep(50)) {
    const version = await versionOf(urlOf('postgres')).catch(() => undefined);
    if (version) {
      return {
        kind: 'postgresql',
        name: 'PostgreSQL',
        version,
        settings: Object.entries(SETTINGS)
          .map((setting) => setting.join('='))
          .join(' '),
        freshUrl: createFreshUrl(urlOf),
        stop: () => stopProcess(server, 30_000, 'SIGINT'),
      };
    }
    if (hasEnded(server) || Date.now() > giveUpAt) {
      await stopProcess(server, 0);
      throw new Error(`PostgreSQL did not start:\n${await readFile(join(directory, 'server.log'), 'utf8')}`);
    }
  }
}

/** The newest that Debian has installed, which keeps them off the PATH; else what is on the PATH. */
function findPrograms(): { initdb: string; postgres: string } {
  const folders = globSync('/usr/lib/postgresql/*/bin/postgres').map((file) => dirname(file));
  const folder = folders.toSorted((a, b) => Number(b.split('/')[4]) - Number(a.split('/')[4]))[0];
  if (folder) return { initdb: join(folder, 'initdb'), postgres: join(folder, 'postgres') };
  const initdb = findProgram('initdb');
  const postgres = findProgram('postgres');
  if (!initdb || !postgres) {
    throw new MissingProgramError('PostgreSQL is not installed; on Debian: apt-get install postgresql.');
  }
  return { initdb, postgres };
}

/** PostgreSQL refuses to run as root. */
async function ordinaryUser(): Promise<{ name: string; uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const name = await run('id', ['postgres']).then(
    () => 'postgres',
    () => 'nobody',
  );
  const number = async (option: string) => Number((await run('id', [option, name])).stdout);
  return { name, uid: await number('-u'), gid: await number('-g') };
}

function as(
  user: Awaited<ReturnType<typeof ordinaryUser>>,
  program: string,
  args: string[],
  atOurDeath = 'TERM',
): [string, string[]] {
  if (!user) return [program, args];
  // Whoever changes user loses the tie to the parent process; so it is made again here.
  const ids = [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups', '--pdeathsig', atOurDeath];
  return ['setpriv', [...ids, program, ...args]];
}

async function versionOf(url: string): Promise<string> {
  const [row] = await query(url, 'SHOW server_version');
  return row!.server_version!.split(' ')[0]!;
}

function createFreshUrl(urlOf: (database: string) => string): () => Promise<string> {
  let made = 0;
  return async () => {
    if (made > 0) await query(urlOf('postgres'), `DROP DATABASE jobs_${made} WITH (FORCE)`);
    made += 1;
    await query(urlOf('postgres'), `CREATE DATABASE jobs_${made}`);
    await query(urlOf('postgres'), 'CHECKPOINT');
    return urlOf(`jobs_${made}`);
  };
}

async function query(url: string, statement: string): Promise<Record<string, string>[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query<Record<string, string>>(statement)).rows;
  } finally {
    await client.end();
  }
}
