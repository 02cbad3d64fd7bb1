import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { expect, onTestFinished, test } from 'vitest';
import { connectDatabase } from '../../database/connect.ts';
import { isRunning } from '../../tests/npm-process.ts';
import { freePort } from '../free-port.ts';
import { startLocalServer } from './local-server.ts';
import { findServerProgram } from './server-program.ts';
import { startWithSchema } from './start-with-schema.ts';

const STOPPED_WITHIN_MS = 30_000;
const NEVER = new AbortController().signal;
const { path: server } = await findServerProgram();

async function emptyFolder(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'event-queue-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** A program that says and prepares what the server does, and does `instead` of serving. */
async function programThat(instead: string): Promise<string> {
  const path = join(await emptyFolder(), 'mysqld');
  const script = `#!/bin/sh\ncase "$*" in *--port=*) ${instead};; esac\nexec '${server}' "$@"\n`;
  await writeFile(path, script, { mode: 0o755 });
  return path;
}

test('a server that does not get ready is stopped by the signal, and leaves no log', async () => {
  const directory = join(await emptyFolder(), 'mysql');
  const stop = new AbortController();
  const program = await programThat('exec sleep 600');
  const starting = startLocalServer({ directory, port: await freePort(), program, signal: stop.signal });
  const logs = async () => (await readdir(directory).catch(() => [])).filter((name) => name.startsWith('starting-'));
  await expect.poll(logs, { timeout: 60_000 }).toHaveLength(1);
  const abortedAt = performance.now();
  stop.abort();
  await (await starting).ended;
  expect(performance.now() - abortedAt).toBeLessThan(STOPPED_WITHIN_MS);
  expect(await logs()).toEqual([]);
});

test('a server whose schema takes long is stopped by the signal', async () => {
  const options = { directory: await emptyFolder(), port: await freePort() };
  const first = await startWithSchema({ ...options, signal: NEVER });
  const db = connectDatabase({ url: first.url() });
  await sql`CREATE TRIGGER hold BEFORE INSERT ON DBStatus FOR EACH ROW DO SLEEP(600)`.execute(db);
  await db.destroy();
  await first.stop();

  const stop = new AbortController();
  const starting = startWithSchema({ ...options, signal: stop.signal });
  const observer = connectDatabase({ url: first.url(), retryMs: 60_000 });
  const states = async () =>
    (await sql<{ state: string }>`SELECT STATE AS state FROM information_schema.PROCESSLIST`.execute(observer)).rows;
  await expect.poll(states, { timeout: 60_000 }).toContainEqual({ state: 'User sleep' });
  await observer.destroy();
  const abortedAt = performance.now();
  stop.abort();
  await (await starting).ended;
  expect(performance.now() - abortedAt).toBeLessThan(STOPPED_WITHIN_MS);
});

test('a script that runs the server as its child is told to run it with exec, and its server ends', async () => {
  const port = await freePort();
  const program = await programThat(`'${server}' "$@" & echo $! >"$0.pid"; wait; exit`);
  await expect(startLocalServer({ directory: await emptyFolder(), port, program })).rejects.toThrow(
    `a server answers on port ${port}, but it is not the process that was started: ${program} must run it with exec`,
  );
  const pid = Number(await readFile(`${program}.pid`, 'utf8'));
  await expect.poll(() => isRunning(pid), { timeout: STOPPED_WITHIN_MS }).toBe(false);
});
