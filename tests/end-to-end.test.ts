import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { connectDatabase, type Database } from '../database/connect.ts';
import { startLocalServer } from '../start/mysql/local-server.ts';
import { isRunning } from './npm-process.ts';
import { prepareSystem, startSystem } from './whole-system.ts';

const post = (url: string, headers: Record<string, string> = {}) => fetch(url, { method: 'POST', headers });

/** Runs `task` as often as asked, with so many at once, and resolves to all results. */
async function many<T>(times: number, atOnce: number, task: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  let started = 0;
  const lane = async () => {
    while (started++ < times) results.push(await task());
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  return results;
}

interface Fact {
  events: number;
  newest: number;
  filled: number;
  held: number;
}

async function factsOf(db: Database): Promise<Fact> {
  const { rows } = await sql<Fact>`
    SELECT COUNT(*) AS events, MAX(id) AS newest, COUNT(NULLIF(valor, '')) AS filled, COUNT(NULLIF(processing, 0)) AS held FROM Events`.execute(
    db,
  );
  return rows[0]!;
}

/** Whose connections use the database of `db`, which has one of its own. */
async function accountsOf(db: Database): Promise<string[]> {
  const { rows } = await sql<{ User: string; db: string }>`SHOW PROCESSLIST`.execute(db);
  const users = rows.filter((row) => row.db === 'messages').map(({ User }) => User);
  return [...new Set(users.toSpliced(users.indexOf('user'), 1))].toSorted();
}

/** Notes each change of a word, in a table that only the test knows. */
async function watchWords(db: Database): Promise<void> {
  await sql`CREATE TABLE changes (id BIGINT UNSIGNED NOT NULL, was VARCHAR(255) NULL, KEY (id))`.execute(db);
  await sql
    .raw(`CREATE TRIGGER watch_words AFTER UPDATE ON Events FOR EACH ROW
      IF NOT (NEW.valor <=> OLD.valor) THEN INSERT INTO changes VALUES (NEW.id, OLD.valor); END IF`)
    .execute(db);
}

test('npm start: what is created through nginx is filled once, the count is exact, and Ctrl-C leaves nothing', async () => {
  await using prepared = await prepareSystem();
  const system = await startSystem(prepared.environment);
  const db = connectDatabase({ url: system.databaseUrl });
  await watchWords(db);

  const [filled, created] = await Promise.all([
    many(
      200,
      40,
      async () => (await post(`${system.front}/create-sync`)).json() as Promise<{ id: number; valor: string }>,
    ),
    many(2_000, 32, async () => (await post(`${system.front}/create-async`)).json() as Promise<{ id: number }>),
  ]);
  await expect.poll(() => accountsOf(db), { timeout: 10_000 }).toEqual(['consumer', 'producer']);
  const ids = new Set([...filled, ...created].map(({ id }) => id));
  expect(ids.size).toBe(2_200);
  for (const { id, valor } of filled) {
    expect(await (await fetch(`${system.front}/${id}`)).json()).toEqual({ id, kind: 'word', valor, status: 'filled' });
  }

  await expect
    .poll(() => factsOf(db), { timeout: 30_000 })
    .toEqual({ events: 2_200, newest: 2_200, filled: 2_200, held: 0 });
  expect(await (await fetch(system.front)).json()).toEqual({ events: 2_200 });
  const { rows } = await sql<{ changes: number; ids: number; rewritten: number }>`
    SELECT COUNT(*) AS changes, COUNT(DISTINCT id) AS ids, COUNT(was) AS rewritten FROM changes`.execute(db);
  expect(rows[0]).toEqual({ changes: 2_200, ids: 2_200, rewritten: 0 });

  // A backlog, so that Ctrl-C meets consumers with work in their hands.
  await fetch(`${system.wordServiceUrl}/behaviour`, { method: 'PUT', body: '{"latencyMs":300}' });
  await post(`${system.front}/create-async?count=10000`);
  await expect.poll(async () => (await factsOf(db)).held, { timeout: 10_000 }).toBeGreaterThan(0);
  await db.destroy();
  const processes = system.processes();
  expect(processes.filter(({ command }) => command.includes('consumer/main.ts'))).toHaveLength(2);
  expect(await system.interrupt()).toContain('stopped');
  expect(processes.filter(({ pid }) => isRunning(pid))).toEqual([]);

  // The data is still there, and nothing in it is held by anyone.
  const server = await startLocalServer({
    directory: resolve(prepared.environment['DATA_DIRECTORY']!, 'mysql'),
    port: Number(prepared.environment['MYSQL_PORT']),
  });
  const afterwards = connectDatabase({ url: server.url() });
  expect(await factsOf(afterwards)).toMatchObject({ events: 12_200, newest: 12_200, held: 0 });
  await afterwards.destroy();
  await server.stop();
}, 120_000);

test('32 clients that create at once over both producers for five seconds get no id twice', async () => {
  await using prepared = await prepareSystem();
  const system = await startSystem(prepared.environment, { args: ['--consumers', '0'] });
  const producers = prepared.environment['PRODUCER_PORTS']!.split(',');
  const ids: number[] = [];
  const until = Date.now() + 5_000;
  await Promise.all(
    Array.from({ length: 32 }, async (_, client) => {
      const producer = `http://127.0.0.1:${producers[client % producers.length]}`;
      while (Date.now() < until) {
        const response = await post(`${producer}/create-async`);
        expect(response.status).toBe(202);
        ids.push(((await response.json()) as { id: number }).id);
      }
    }),
  );
  expect(ids.length).toBeGreaterThan(100);
  expect(new Set(ids).size).toBe(ids.length);
  const db = connectDatabase({ url: system.databaseUrl });
  expect(await (await fetch(system.front)).json()).toEqual({ events: ids.length });
  expect(await factsOf(db)).toMatchObject({ events: ids.length, newest: ids.length });
  await db.destroy();
  expect(await system.interrupt()).toContain('stopped');
});

test('a port in use is said in one sentence, and nothing is started', async () => {
  await using prepared = await prepareSystem();
  const system = await startSystem(prepared.environment, { args: ['--consumers', '0'] });
  const second = startSystem(prepared.environment);
  await expect(second).rejects.toThrow(
    new RegExp(`port ${prepared.environment['NGINX_PORT']} is in use; .*NGINX_PORT`),
  );
  expect((await fetch(`${system.front}/readyz`)).status).toBe(200);
  expect(await system.interrupt()).toContain('stopped');
});

test.each([
  ['npm start', /^\S*node .*start\/main\.ts/],
  ['npm itself', /^npm start/],
])('when %s is killed, all that it started ends', async (_, killed) => {
  await using prepared = await prepareSystem();
  const system = await startSystem(prepared.environment);
  const processes = system.processes();
  for (const program of [/mysqld|mariadbd/, /nginx/, /producer\/main/, /consumer\/main/]) {
    expect(processes.some(({ command }) => program.test(command))).toBe(true);
  }
  process.kill(processes.find(({ command }) => killed.test(command))!.pid, 'SIGKILL');
  await expect.poll(() => processes.filter(({ pid }) => isRunning(pid)), { timeout: 30_000 }).toEqual([]);
});

test('a setting that a part would refuse is said, and nothing is started', async () => {
  await using prepared = await prepareSystem();
  const failing = startSystem({ ...prepared.environment, DATABASE_TIMEOUT_MS: '0' });
  await expect(failing).rejects.toThrow(/DATABASE_TIMEOUT_MS="0": expected whole number/);
});

test('when nginx cannot start, that is said at once, and nothing is left running', async () => {
  await using prepared = await prepareSystem();
  const directory = prepared.environment['DATA_DIRECTORY']!;
  await mkdir(join(directory, 'nginx', 'site', 'listen.conf'), { recursive: true });
  await expect(startSystem(prepared.environment)).rejects.toThrow(/start: EISDIR.*listen\.conf/);
  await using server = await startLocalServer({
    directory: join(directory, 'mysql'),
    port: Number(prepared.environment['MYSQL_PORT']),
  }).then(({ stop }) => ({ [Symbol.asyncDispose]: stop }));
  expect(server).toBeDefined();
});
