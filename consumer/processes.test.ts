import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { fileURLToPath } from 'node:url';
import { sql } from 'kysely';
import { afterEach, describe, expect, inject, onTestFinished, test, vi } from 'vitest';
import { createEvents } from '../database/events/create.ts';
import { loadSchema } from '../database/load-schema.ts';
import { useTestDatabase } from '../tests/test-database.ts';
import { behaviourSchema } from '../word-service/behaviour.ts';
import { createWordService } from '../word-service/server.ts';

const database = await useTestDatabase();
const { db } = database;

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));
const LEASE_MS = 2_000;
const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
});

/** A consumer in a process of its own. */
function startConsumer(name: string, env: Record<string, string>, args: string[] = []) {
  const defaults = { CONSUMER_NAME: name, DATABASE_URL: database.url, LOG_FORMAT: 'json', CONSUMER_POLL_MS: '20' };
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: import.meta.dirname, // where no .env is
    env: { ...defaults, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  const output = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => void (output.out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (output.err += text));
  const ended = once(child, 'close').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as NodeJS.Signals | null,
    ...output,
  }));
  const says = (what: string | RegExp) => vi.waitFor(() => expect(output.out).toMatch(what), { timeout: 20_000 });
  return { child, ended, says };
}

async function listen(server: Server): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** The settings of a consumer that waits so long for each batch of words. */
async function wordsAfter(latencyMs: number) {
  const port = await listen(createWordService(behaviourSchema.parse({ latencyMs })));
  return { WORD_SERVICE_URL: `http://127.0.0.1:${port}/api`, WORD_ATTEMPT_MS: '60000' };
}

/** A word service that answers nobody until it is released. */
async function wordsOnRelease() {
  const words = createWordService(behaviourSchema.parse({}));
  const released = Promise.withResolvers<void>();
  const port = await listen(
    createHttpServer((request, response) => void released.promise.then(() => words.emit('request', request, response))),
  );
  const env = { WORD_SERVICE_URL: `http://127.0.0.1:${port}/api`, WORD_ATTEMPT_MS: '60000' };
  return { env, release: () => released.resolve() };
}

const TOO_LONG_MS = 600_000;
const some = (count: number) => Array.from({ length: count }, () => ({}));
const allRows = () => db.selectFrom('Events').selectAll().orderBy('id').execute();

async function count(condition: ReturnType<typeof sql>): Promise<number> {
  const { rows } = await sql<{ n: number }>`SELECT COUNT(*) AS n FROM Events WHERE ${condition}`.execute(db);
  return Number(rows[0]?.n);
}
const heldBy = (name: string) => count(sql`processing = 1 AND claimed_by LIKE ${`${name}.%`}`);
const filledBy = (name: string) => count(sql`valor <> '' AND claimed_by LIKE ${`${name}.%`}`);
const unfilled = () => count(sql`valor IS NULL`);
const eventually = { timeout: 20_000, interval: 20 };

/** Two consumers at work, the first of which is slow to get its words and holds some events. */
async function startSlowAndQuick(latencyMs: number) {
  const lease = { LEASE_MS: String(LEASE_MS) };
  const slow = startConsumer('slow', { ...(await wordsAfter(latencyMs)), ...lease });
  const quick = startConsumer('quick', { ...(await wordsAfter(0)), ...lease });
  await Promise.all([slow.says('filling events'), quick.says('filling events')]);
  const createSome = async () => {
    await createEvents(db, some(3));
    return heldBy('slow');
  };
  await expect.poll(createSome, eventually).toBeGreaterThan(0);
  return { slow, quick };
}

describe('what a consumer holds', () => {
  test('when it is killed is filled by another within the lease and two seconds', async () => {
    const { slow } = await startSlowAndQuick(TOO_LONG_MS);
    slow.child.kill('SIGKILL');
    const held = await heldBy('slow');
    expect(held).toBeGreaterThan(0);
    await expect.poll(unfilled, { timeout: LEASE_MS + 2_000, interval: 20 }).toBe(0);
    // The second attempt, since it was the lease that ended the first.
    expect(await count(sql`attempts = 2 AND claimed_by LIKE 'quick.%'`)).toBeGreaterThanOrEqual(held);
    expect(await filledBy('slow')).toBe(0);
  });

  test('when it is frozen past its lease is filled by another; thawed, it changes nothing and goes on', async () => {
    const { slow, quick } = await startSlowAndQuick(1_000);
    slow.child.kill('SIGSTOP');
    await expect.poll(unfilled, eventually).toBe(0);
    expect(await count(sql`attempts = 2 AND claimed_by LIKE 'quick.%'`)).toBeGreaterThan(0);
    quick.child.kill('SIGTERM');
    await quick.ended;
    const before = await allRows();
    slow.child.kill('SIGCONT');
    await slow.says(/"released":0|"lost":[1-9]/);

    await createEvents(db, some(5));
    await expect.poll(unfilled, eventually).toBe(0);
    const after = await allRows();
    expect(after.slice(0, before.length)).toEqual(before);
    expect(after.slice(before.length).map(({ claimed_by }) => claimed_by?.split('.')[0])).toEqual(
      Array.from({ length: 5 }, () => 'slow'),
    );
  });
});

describe('a consumer that is told to stop', () => {
  test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    'by %s fills what it holds, claims no more, and exits 0',
    async (signal) => {
      await createEvents(db, some(50));
      const { env, release } = await wordsOnRelease();
      const { child, ended, says } = startConsumer('a', { ...env, CONSUMER_BATCH: '10' });
      await expect.poll(() => heldBy('a'), eventually).toBe(20);
      child.kill(signal);
      await says('finishing the events in progress');
      release();
      expect(await ended).toMatchObject({ code: 0, signal: null, err: '', out: expect.stringContaining('stopped') });
      expect(await filledBy('a')).toBe(20);
      expect(await count(sql`valor IS NULL AND processing = 0 AND attempts = 0 AND claimed_by = ''`)).toBe(30);
    },
  );

  test('gives back within its grace what gets no words in time, and exits 0', async () => {
    await createEvents(db, some(20));
    const env = { ...(await wordsAfter(TOO_LONG_MS)), CONSUMER_BATCH: '10', SHUTDOWN_GRACE_MS: '3000' };
    const { child, ended } = startConsumer('a', env);
    await expect.poll(() => heldBy('a'), eventually).toBe(20);
    const begin = performance.now();
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: 0, err: '', out: expect.stringContaining('shutting down') });
    expect(performance.now() - begin).toBeLessThan(3_000);
    expect(await count(sql`valor IS NULL AND processing = 0 AND failures = 0 AND claimed_by = ''`)).toBe(20);
  });

  test('passed on by npm as well, which the terminal has sent already, is one', async () => {
    await createEvents(db, some(5));
    const { env, release } = await wordsOnRelease();
    const { child, ended, says } = startConsumer('a', env);
    await expect.poll(() => heldBy('a'), eventually).toBe(5);
    child.kill('SIGINT');
    child.kill('SIGTERM');
    await says('finishing the events in progress');
    release();
    expect(await ended).toMatchObject({ code: 0, signal: null });
    expect(await count(sql`valor <> ''`)).toBe(5);
  });

  test('twice exits at once', async () => {
    await createEvents(db, some(5));
    const { child, ended, says } = startConsumer('a', {
      ...(await wordsAfter(TOO_LONG_MS)),
      SHUTDOWN_GRACE_MS: '60000',
    });
    await expect.poll(() => heldBy('a'), eventually).toBe(5);
    child.kill('SIGTERM');
    await says('finishing the events in progress');
    const begin = performance.now();
    // One that follows at once is taken for the first.
    const again = setInterval(() => child.kill('SIGINT'), 100);
    onTestFinished(() => clearInterval(again));
    expect(await ended).toMatchObject({ code: 1, signal: null });
    expect(performance.now() - begin).toBeLessThan(2_000);
    expect(await heldBy('a')).toBe(5);
  });

  test('while no database can be reached exits 0', async () => {
    const port = await listen(createServer((socket) => socket.destroy()));
    const { child, ended, says } = startConsumer('a', { DATABASE_URL: `mysql://user:password@127.0.0.1:${port}/none` });
    await says('database lost');
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: 0, err: '', out: expect.stringContaining('stopped') });
  });
});

test('a consumer whose terminal is gone goes on, and finishes when it is told to', async () => {
  const { child, ended, says } = startConsumer('a', { LOG_FORMAT: 'pretty', ...(await wordsAfter(0)) });
  await says('filling events');
  child.stdout.destroy();
  await createEvents(db, [{}, {}]);
  await expect.poll(() => filledBy('a'), eventually).toBe(2);
  child.kill('SIGTERM');
  expect(await ended).toMatchObject({ code: 0, signal: null, err: '' });
});

test('a consumer whose routine is dropped while it works says so, and goes on when init.sql has been loaded again', async () => {
  const { says } = startConsumer('a', { ...(await wordsAfter(0)), LEASE_MS: '1000' });
  await says('filling events');
  await sql`DROP PROCEDURE claim_events`.execute(db);
  await says(/run npm run migrate.*claim_events does not exist.*could not claim/);
  await createEvents(db, [{}]);
  await loadSchema(db);
  await expect.poll(() => filledBy('a'), eventually).toBe(1);
});

test('the settings of a retry reach the work', async () => {
  const port = await listen(
    createHttpServer((_, response) => {
      response.setHeader('Content-Type', 'application/json').end('[{"word":"1"}]'); // which is no word
    }),
  );
  startConsumer('a', {
    WORD_SERVICE_URL: `http://127.0.0.1:${port}/api`,
    MAX_ATTEMPTS: '2',
    RETRY_DELAY_MS: '1',
    LEASE_MS: '600000', // so that nothing else brings an event back
  });
  await createEvents(db, [{}]);
  await expect.poll(() => count(sql`due_at IS NULL AND attempts = 2`), eventually).toBe(1);
});

test('with --once a consumer fills what is due, says each event in a line, and exits 0', async () => {
  await createEvents(db, some(7));
  const args = ['--once', '--batch', '3', '--log-format', 'pretty'];
  const { ended } = startConsumer('a', await wordsAfter(0), args);
  const { code, out, err } = await ended;
  expect({ code, err }).toEqual({ code: 0, err: '' });
  const lines = (await allRows()).map(({ id, valor }) => `#${id} ${valor} `);
  for (const line of lines) expect(out).toContain(line);
  expect(await filledBy('a')).toBe(7);
});

test('--help prints every option and exits 0, whatever else is set', async () => {
  const { ended } = startConsumer('a', { LEASE_MS: 'nonsense' }, ['--help']);
  expect(await ended).toMatchObject({ code: 0, err: '', out: expect.stringContaining('--lease-ms') });
});

describe('a consumer that cannot work says why in a sentence and exits 1:', () => {
  const withPassword = (password: string) => Object.assign(new URL(database.url), { password }).href;

  test.each<[string, () => Record<string, string>, RegExp]>([
    ['a setting is wrong', () => ({ CONSUMER_BATCH: '0' }), /^consumer: .*\n +CONSUMER_BATCH="0": .*whole number/],
    ['the password is wrong', () => ({ DATABASE_URL: withPassword('wrong') }), /refuses this account.*DATABASE_URL/],
    [
      'the tables are missing',
      () => ({ DATABASE_URL: `${inject('serverUrl')}mysql` }),
      /tables are missing.*npm run migrate/,
    ],
    [
      'there is no such database',
      () => ({ DATABASE_URL: `${inject('serverUrl')}nowhere` }),
      /does not exist.*npm run migrate/,
    ],
  ])('%s', async (_, env, message) => {
    const { code, err } = await startConsumer('a', env()).ended;
    expect(code).toBe(1);
    expect(err).toMatch(message);
    expect(err).not.toContain('    at ');
  });
});
