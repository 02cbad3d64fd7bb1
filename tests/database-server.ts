import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { readEnvironment, readSettings } from '../process/settings.ts';
import { freePort } from '../start/free-port.ts';
import { localServerSettings } from '../start/mysql/config.ts';
import { prepareDataFolder } from '../start/mysql/data-folder.ts';
import { startLocalServer } from '../start/mysql/local-server.ts';
import { findServerProgram } from '../start/mysql/server-program.ts';
import { findProgram, installPrograms, missingNginx, missingServer } from '../start/programs.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Of the private server that the whole test run shares, without a database. */
    serverUrl: string;
    /** The folder of a private server that has never run, to be copied. */
    freshServer: string;
  }
}

/** Brings what the tests need and the machine lacks, and one private server; each test file has its own database on it. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { MYSQL_PROGRAM } = readSettings(localServerSettings, readEnvironment());
  await installPrograms(
    [...missingServer(MYSQL_PROGRAM), ...missingNginx(), ...(findProgram('chromium') ? [] : ['chromium' as const])],
    console.log,
  );
  const directory = await mkdtemp(join(tmpdir(), 'event-queue-'));
  const [fresh, own] = [join(directory, 'fresh'), join(directory, 'own')];
  await mkdir(fresh);
  const program = MYSQL_PROGRAM || undefined;
  await prepareDataFolder(fresh, await findServerProgram(program), console.log);
  await cp(fresh, own, { recursive: true });
  // What a crash costs is tested on servers of their own. To load the schema, which each file does, takes MySQL a quarter so.
  const args = ['--innodb-flush-log-at-trx-commit=2', '--sync-binlog=0'];
  const server = await startLocalServer({ directory: own, port: await freePort(), program, args });
  project.provide('serverUrl', server.url(''));
  project.provide('freshServer', fresh);
  return async () => {
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  };
}
