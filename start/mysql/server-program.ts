import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { findProgram } from '../programs.ts';

/** A `mysqld` or `mariadbd`, and what it says that it is. */
export interface ServerProgram {
  path: string;
  product: 'MySQL' | 'MariaDB';
  /** Such as 9.7.4. */
  version: string;
}

const run = promisify(execFile);

/** The program at this path, or without one the first that this machine has. Rejects with a sentence if it is no server. */
export async function findServerProgram(given?: string): Promise<ServerProgram> {
  const path = given ?? findProgram('mysqld', 'mariadbd');
  if (!path) throw new Error('neither mysqld nor mariadbd is on the PATH');
  const { stdout } = await run(path, ['--no-defaults', '--version']).catch((cause: Error) => {
    throw new Error(`${path} does not run: expected a mysqld or mariadbd (${cause.message.trim()})`, { cause });
  });
  const version = /\bVer (\d+\.\d+\.\d+)/.exec(stdout)?.[1];
  if (!version) throw new Error(`${path} is no database server: expected a mysqld or mariadbd`);
  return { path, product: stdout.includes('MariaDB') ? 'MariaDB' : 'MySQL', version };
}

/** Whether several of these servers can be one MySQL group. MariaDB has none, and older ones were not tested. */
export function canBeInGroup({ product, version }: ServerProgram): boolean {
  return product === 'MySQL' && Number.parseInt(version, 10) >= 9;
}
