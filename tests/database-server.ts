import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { readEnvironment, readSettings } from '../process/settings.ts';
import { localServerSettings } from '../start/mysql/config.ts';
import { startLocalServer } from '../start/mysql/local-server.ts';
import { findProgram, installPrograms, missingNginx, missingServer } from '../start/programs.ts';
import { freePort } from './free-port.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Of the private server that the whole test run shares, without a database. */
    serverUrl: string;
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
  const server = await startLocalServer({
    directory,
    port: await freePort(),
    program: MYSQL_PROGRAM || undefined,
    say: console.log,
  });
  project.provide('serverUrl', server.url(''));
  return async () => {
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  };
}
