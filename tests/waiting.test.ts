import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { connectDatabase, type Database } from '../database/connect.ts';
import { countEvents } from '../database/events/read.ts';
import { spawnChild } from '../start/child-process.ts';
import { prepareSystem, startSystem } from './whole-system.ts';

/** Held requests through the whole system. */

const post = (url: string, headers: Record<string, string> = {}) => fetch(url, { method: 'POST', headers });

test.concurrent('1,000 held create-sync cost one query a tick, other routes stay right, and all are answered', async () => {
  await using prepared = await prepareSystem();
  const system = await startSystem(prepared.environment, { args: ['--consumers', '0'] });
  const db = connectDatabase({ url: system.databaseUrl, poolSize: 1 });
  const held = Array.from({ length: 1_000 }, () => post(`${system.front}/create-sync`));
  await expect.poll(() => countEvents(db), { timeout: 20_000 }).toBe(1_000);

  const before = await questions(db);
  const startedAt = performance.now();
  for (let n = 0; n < 20; n++) {
    expect(await (await fetch(system.front)).json()).toEqual({ events: 1_000 });
    expect(await (await fetch(`${system.front}/${1 + n}`)).json()).toMatchObject({ id: 1 + n, status: 'pending' });
  }
  await expect.poll(() => performance.now() - startedAt, { timeout: 10_000 }).toBeGreaterThan(2_000);
  const seconds = (performance.now() - startedAt) / 1_000;
  // 40 requests of our own, and of each of the two producers ten looks a second.
  expect((await questions(db)) - before - 40).toBeLessThan(2 * 10 * seconds * 1.3 + 20);

  const consumer = startConsumer(system.environment, system.databaseUrl, system.wordServiceUrl);
  const answers = await Promise.all(held);
  expect(answers.map(({ status }) => status).filter((status) => status !== 201)).toEqual([]);
  consumer.kill('SIGTERM');
  await db.destroy();
  expect(await system.interrupt()).toContain('stopped');
});

test.concurrent('a create-sync outlives the minute after which proxies give up, and Ctrl-C answers those still held', async () => {
  await using prepared = await prepareSystem();
  const system = await startSystem(
    { ...prepared.environment, SHUTDOWN_GRACE_MS: '3000' },
    { args: ['--consumers', '0'] },
  );
  const startedAt = Date.now();
  const held = post(`${system.front}/create-sync`);
  const asLong = await post(`${system.front}/create-sync`, { Prefer: 'wait=1' });
  expect(asLong.status).toBe(202);
  expect(asLong.headers.get('preference-applied')).toBe('wait=1');
  const waited = new Promise((done) => setTimeout(done, 62_000));
  expect(await Promise.race([held, waited])).toBeUndefined();
  expect(Date.now() - startedAt).toBeGreaterThan(61_000);
  const [response, lastLine] = await Promise.all([held, system.interrupt()]);
  expect(response.status).toBe(202);
  expect(response.headers.get('location')).toMatch(/^\/\d+$/);
  expect(lastLine).toContain('stopped');
}, 120_000);

async function questions(db: Database): Promise<number> {
  const { rows } = await sql<{ Value: string }>`SHOW GLOBAL STATUS LIKE 'Questions'`.execute(db);
  return Number(rows[0]?.Value);
}

function startConsumer(environment: Record<string, string>, databaseUrl: string, wordServiceUrl: string) {
  return spawnChild(process.execPath, ['consumer/main.ts'], {
    env: { ...process.env, ...environment, DATABASE_URL: databaseUrl, WORD_SERVICE_URL: `${wordServiceUrl}/api` },
  });
}
