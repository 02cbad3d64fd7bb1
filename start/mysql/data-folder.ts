import { execFile } from 'node:child_process';
import { constants, existsSync } from 'node:fs';
import { access, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { findProgram } from '../programs.ts';
import type { ServerProgram } from './server-program.ts';

const run = promisify(execFile);

/**
 * The data folder in `directory`, for this server: made when missing. Rejects with a sentence if the data is of another
 * server or another user, for a server's own errors name neither.
 */
export async function prepareDataFolder(
  directory: string,
  server: ServerProgram,
  say: (line: string) => void,
): Promise<string> {
  const data = join(directory, 'data');
  // A server that starts removes the temporary tables that it finds, in /tmp also those of others; hence a folder of its own.
  for (const folder of ['files', 'tmp']) await makeFolder(join(directory, folder));
  if (!existsSync(data)) {
    say(`preparing a private ${server.product} in ${directory} …`);
    await initialise(server, directory);
  }
  await checkAccess(data);
  refuseOtherServer(data, await madeBy(directory), server);
  return data;
}

/** To be called once a server has started on the data, which may now be beyond what an older one can read. */
export async function rememberServer(directory: string, { product, version }: ServerProgram): Promise<void> {
  await writeFile(join(directory, MADE_BY), `${product} ${version}\n`);
}

/** Makes a folder, or rejects with a sentence. */
export async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true }).catch((cause: NodeJS.ErrnoException) => {
    throw new Error(`${path} cannot be made (${cause.code}); choose another folder with DATA_DIRECTORY`, { cause });
  });
}

const MADE_BY = 'made-by.txt';
const WAY_OUT = 'use another folder (DATA_DIRECTORY), or move this one away';

/** What used the data last; of data without a note the product can be told by its files, but not the version. */
async function madeBy(directory: string): Promise<Pick<ServerProgram, 'product' | 'version'>> {
  const note = await readFile(join(directory, MADE_BY), 'utf8').catch(() => '');
  const [, product, version] = /^(MySQL|MariaDB) ([\d.]+)$/m.exec(note) ?? [];
  if (product && version) return { product: product as ServerProgram['product'], version };
  const isMySql = existsSync(join(directory, 'data', 'mysql.ibd'));
  return { product: isMySql ? 'MySQL' : 'MariaDB', version: '0.0' };
}

function refuseOtherServer(data: string, before: Pick<ServerProgram, 'product' | 'version'>, now: ServerProgram): void {
  const isOther = before.product !== now.product;
  if (!isOther && !isOlder(now.version, before.version)) return;
  const [was, is] = [before, now].map(({ product, version }) => `${product} ${version}`.replace(/ 0\.0$/, ''));
  const why = isOther ? 'made by' : 'used by the newer';
  throw new Error(`${data} was ${why} ${was}, but ${now.path} is ${is}: set MYSQL_PROGRAM to that server, ${WAY_OUT}`);
}

/** By major and minor version: within those a server also goes back. */
function isOlder(version: string, than: string): boolean {
  const [a, b] = [version, than].map((text) => text.split('.').map(Number)) as [number[], number[]];
  return a[0]! < b[0]! || (a[0] === b[0] && a[1]! < b[1]!);
}

async function checkAccess(data: string): Promise<void> {
  // Both servers keep one there, with the rights of the folder.
  await access(join(data, 'ibdata1'), constants.R_OK | constants.W_OK).catch((cause: NodeJS.ErrnoException) => {
    const isOurs = cause.code === 'ENOENT';
    const why = isOurs ? 'is not the data of a server' : `is not writable for this user (${cause.code})`;
    throw new Error(`${data} ${why}: ${WAY_OUT}`, { cause });
  });
}

/** In a folder of its own first: what an interrupted first start leaves is never taken for data, nor what two make at once. */
async function initialise(server: ServerProgram, directory: string): Promise<void> {
  await removeLeftovers(directory);
  const name = basename(await mkdtemp(join(directory, `data.new-${process.pid}-`)));
  const temporary = join(directory, 'tmp', name); // of its own, for the same reason
  await mkdir(temporary);
  await (server.product === 'MariaDB' ? initialiseMariaDb(name, directory) : initialiseMySql(server, name, directory));
  await rm(temporary, { recursive: true });
  await rename(join(directory, name), join(directory, 'data')).catch(async (cause: NodeJS.ErrnoException) => {
    await rm(join(directory, name), { recursive: true });
    // Another process of ours was faster: whether its server still runs is seen when ours starts.
    if (!existsSync(join(directory, 'data'))) throw cause;
  });
  await rememberServer(directory, server);
}

async function initialiseMariaDb(name: string, directory: string): Promise<void> {
  const installer = findProgram('mariadb-install-db', 'mysql_install_db');
  if (!installer) throw new Error('mariadb-install-db is missing; on Debian it needs mariadb-client-core as well');
  // A shell script that does not quote: it is given paths without spaces, seen from this folder, and from the data's.
  const options = [`--datadir=./${name}`, `--tmpdir=../tmp/${name}`, '--auth-root-authentication-method=normal'];
  await run(installer, ['--no-defaults', ...asRoot(), ...options, '--skip-test-db'], { cwd: directory });
}

async function initialiseMySql({ path }: ServerProgram, name: string, directory: string): Promise<void> {
  const options = [`--datadir=${join(directory, name)}`, `--tmpdir=${join(directory, 'tmp', name)}`];
  await run(path, ['--no-defaults', ...asRoot(), '--initialize-insecure', ...options]);
}

async function removeLeftovers(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const pid = /^data\.new(?:-(\d+)-\w+)?$/.exec(name);
    if (pid && !isAlive(Number(pid[1] ?? 0))) await rm(join(directory, name), { recursive: true });
  }
}

function isAlive(pid: number): boolean {
  if (pid === 0) return false;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Both servers refuse to run as root unless they are told to. */
export function asRoot(): string[] {
  return process.getuid?.() === 0 ? ['--user=root'] : [];
}
