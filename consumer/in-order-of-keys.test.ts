import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { connectDatabase } from '../database/connect.ts';
import { createEvents } from '../database/events/create.ts';
import { reviveEvents } from '../database/events/operate.ts';
import { defineHandlers } from '../handlers/define-handlers.ts';
import type { Definition, HandlerOptions } from '../handlers/definition.ts';
import type { HandlerInput, UserTransaction } from '../handlers/handler.ts';
import { dead, later } from '../handlers/outcome.ts';
import { useTestDatabase } from '../tests/test-database.ts';
import { createWorker } from '../tests/test-worker.ts';
import type { ConsumerDeps } from './options.ts';

/** A transaction of `inTransaction` goes on with the next events of the keys that it has. */

const database = await useTestDatabase();
const { db, letTimePass } = database;

beforeAll(() =>
  sql`CREATE TABLE effects (at BIGINT AUTO_INCREMENT PRIMARY KEY, event_id BIGINT) ENGINE = InnoDB`.execute(db),
);
beforeEach(() => sql`DELETE FROM effects`.execute(db));
afterAll(() => sql`DROP TABLE effects`.execute(db));

const keyed = (count: number, ...keys: string[]) =>
  Array.from({ length: count }, (_, n) => ({ kind: 'job', key: keys[n % keys.length] ?? 'k' }));
const row = (id: number) => db.selectFrom('Events').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
const isWaiting = async (id: number) => (await row(id)).due_at!.getUTCFullYear() === 9999;

async function effects(): Promise<number[]> {
  const { rows } = await sql<{ id: number }>`SELECT event_id AS id FROM effects ORDER BY at`.execute(db);
  return rows.map(({ id }) => id);
}

async function openKeys(): Promise<number[]> {
  const rows = await db.selectFrom('EventKeys').select('id').orderBy('id').execute();
  return rows.map(({ id }) => id);
}

type Work = (id: number, event: HandlerInput, trx: UserTransaction) => unknown;

/** Writes an effect for each event before its work. `groups` are the ids that were filled together. */
function workerOf(work: Work, options: HandlerOptions = {}, on = db, deps: Partial<ConsumerDeps> = {}) {
  const seen: number[] = [];
  const definition = {
    retryDelayMs: 60_000,
    concurrency: 1, // a claim beside it may lock the next of a key for a moment, and the key ends there
    ...options,
    inTransaction: async (event: HandlerInput, trx: UserTransaction) => {
      seen.push(event.id);
      await trx.insertInto('effects').values({ event_id: event.id }).execute();
      return (await work(event.id, event, trx)) ?? null;
    },
  };
  const { kinds } = defineHandlers({ job: definition as Definition });
  const worker = createWorker(on, [...kinds], deps);
  const groups = () => worker.report.filled.mock.calls.map(([fills]) => fills.map(({ id }) => id));
  return { ...worker, seen, groups };
}

// The first event of a process comes alone; then it takes 2, 4, 8 …

test('a transaction goes on with a key, in their order', async () => {
  await createEvents(db, keyed(30));
  const { run, groups } = workerOf(() => {});
  await run();
  expect(groups().map(({ length }) => length)).toEqual([1, 2, 4, 8, 15]);
  expect(groups().flat()).toEqual(Array.from({ length: 30 }, (_, index) => index + 1));
  expect(await effects()).toEqual(groups().flat());
  expect(await openKeys()).toEqual([]);
  expect((await row(30)).due_at!.getTime()).toBeLessThanOrEqual((await row(30)).filled_at!.getTime());
});

test('keys go on beside each other, and beside events without one', async () => {
  const alone = Array.from({ length: 15 }, () => ({ kind: 'job' }));
  await createEvents(db, [...alone, ...keyed(9, 'k', 'l', 'm'), { kind: 'job' }]);
  const { run, groups } = workerOf(() => {});
  await run();
  expect(groups().at(-1)).toEqual([16, 17, 18, 25, 19, 20, 21, 22, 23, 24]);
});

test('what is created behind them meanwhile goes on too, and its create waits for nobody', async () => {
  await createEvents(db, keyed(6));
  // It would wait for the end of this very handler.
  const { run, groups } = workerOf(async (id) => {
    if (id === 5) await createEvents(db, [...keyed(1), {}]);
  });
  await run();
  expect(groups()).toEqual([[1], [2, 3], [4, 5, 6, 7]]);
  expect(await openKeys()).toEqual([]);
});

test.each<[string, () => unknown]>([
  ['says later', () => later(60_000)],
  [
    'fails',
    () => {
      throw new Error('four');
    },
  ],
])('one that %s holds up the others of its key', async (_, end) => {
  await createEvents(db, keyed(6, 'k', 'k', 'k', 'k', 'k', 'l'));
  const { run, seen } = workerOf((id, { attempt }) => (id === 4 && attempt === 1 ? end() : undefined));
  await run();
  expect(seen).toEqual([1, 2, 6, 3, 4]);
  expect(await isWaiting(4)).toBe(false);
  expect(await isWaiting(5)).toBe(true);
  expect(await openKeys()).toEqual([4, 5]);
  await letTimePass();
  await run();
  expect((await effects()).filter((id) => id !== 6)).toEqual([1, 2, 3, 4, 5]);
});

test('a dead one lets the next ones pass, in a transaction of their own', async () => {
  await createEvents(db, keyed(6));
  const { run, groups } = workerOf((id) => (id === 4 ? dead('four') : undefined));
  await run();
  expect(groups()).toEqual([[1], [2, 3], [5, 6]]);
  expect(await row(4)).toMatchObject({ dead_reason: 'four', valor: null });
});

test('one that may have ended its consumers on its last attempt is taken alone', async () => {
  await createEvents(db, keyed(6));
  await sql`UPDATE Events SET failures = 4, last_error = 'its consumer died' WHERE id = 4`.execute(db);
  const { run, groups } = workerOf(() => {});
  await run();
  expect(groups()).toContainEqual([4]);
  expect(await effects()).toEqual([1, 2, 3, 4, 5, 6]);
});

test.each([
  ['of another kind is left to its consumer', { kind: 'other', key: 'k' }],
  ['that is delayed waits for its time', { kind: 'job', key: 'k', delayMs: 60_000 }],
])('one %s, and the others wait for it', async (_, event) => {
  await createEvents(db, [...keyed(3), event, ...keyed(1)]);
  const { run } = workerOf(() => {});
  await run();
  expect(await effects()).toEqual([1, 2, 3]);
  expect(await isWaiting(4)).toBe(false);
  expect(await isWaiting(5)).toBe(true);
});

test('one that another connection has locked is not waited for before its turn', async () => {
  await createEvents(db, keyed(5));
  const client = await createConnection({ uri: database.url });
  onTestFinished(() => client.destroy());
  await client.beginTransaction();
  await client.query('SELECT id FROM Events WHERE id = 4 FOR UPDATE');
  const { run, seen, groups } = workerOf(() => {});
  const running = run();
  await vi.waitFor(() => expect(seen).toEqual([1, 2, 3]), 5_000);
  await client.rollback();
  await running;
  expect(groups()).toEqual([[1], [2, 3], [4, 5]]);
});

test('a kind that is paused meanwhile stops', async () => {
  onTestFinished(() => pause(0));
  await createEvents(db, keyed(6));
  const { run } = workerOf((id) => (id === 3 ? pause(1) : undefined));
  await run();
  expect(await effects()).toEqual([1, 2, 3]);

  async function pause(paused: number): Promise<void> {
    await sql`UPDATE Kinds SET paused = ${paused} WHERE name = 'job'`.execute(db);
  }
});

test('an earlier one that is revived meanwhile is the next', async () => {
  await createEvents(db, keyed(7));
  let isDead = true;
  const { run, groups } = workerOf(async (id) => {
    if (id === 2 && isDead) return dead('two');
    if (id === 4) await reviveEvents(db, [2], { outOfOrder: true }).finally(() => (isDead = false));
    return undefined;
  });
  await run();
  expect(await effects()).toEqual([1, 3, 4, 2, 5, 6, 7]);
  expect(groups()).toEqual([[1], [3, 4], [2, 5, 6, 7]]);
});

test('also one that died between those of the same transaction', async () => {
  await createEvents(db, keyed(9));
  await sql`UPDATE Events SET due_at = NULL WHERE id = 6`.execute(db);
  await sql`DELETE FROM EventKeys WHERE id = 6`.execute(db);
  const { run, groups } = workerOf(async (id) => {
    if (id === 7) await reviveEvents(db, [6]);
  });
  await run();
  expect(groups()).toEqual([[1], [2, 3], [4, 5, 7], [6, 8, 9]]);
});

test('a process that is killed leaves all of them as they were', async () => {
  await createEvents(db, keyed(8));
  const theirs = connectDatabase({ url: database.url });
  const gone = new AbortController();
  const { run, seen } = workerOf((id) => (id === 6 ? new Promise(() => {}) : undefined), {}, theirs);
  void run(gone.signal);
  await vi.waitFor(() => expect(seen).toEqual([1, 2, 3, 4, 5, 6]), 10_000);
  gone.abort();
  await theirs.destroy();
  await expect.poll(() => db.selectFrom('Events').select('id').forUpdate().execute()).toHaveLength(8);
  expect(await effects()).toEqual([1, 2, 3]);
  expect(await openKeys()).toEqual([4, 5, 6, 7, 8]);
  expect(await row(5)).toMatchObject({ valor: null, attempts: 0, failures: 0, processing: 2 });
  await workerOf(() => {}).run();
  expect(await effects()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
});

test('a connection that is lost costs nothing but time', async () => {
  await createEvents(db, keyed(8));
  let isLost = false;
  const { run, seen } = workerOf(async (id, _event, trx) => {
    if (id !== 6 || isLost) return;
    isLost = true;
    const { rows } = await sql<{ id: number }>`SELECT CONNECTION_ID() AS id`.execute(trx);
    await sql.raw(`KILL ${rows[0]!.id}`).execute(db);
    await trx.insertInto('effects').values({ event_id: 0 }).execute();
  });
  // The server may still be rolling back when the worker finds nothing that is free, and ends.
  const workAgain = async () => {
    await run();
    return effects();
  };
  await expect.poll(workAgain).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  expect(seen).toEqual([1, 2, 3, 4, 5, 6, 4, 5, 6, 7, 8]);
});

test('a transaction takes no more than its batch', async () => {
  await createEvents(db, keyed(12));
  const { run, groups } = workerOf(() => {}, { batch: 5 } as HandlerOptions);
  await run();
  expect(groups().map(({ length }) => length)).toEqual([1, 2, 4, 5]);
});

test('a transaction takes no more than its time', async () => {
  await createEvents(db, keyed(8));
  const { run, groups } = workerOf(() => sleep(250), {}, database.connect({ transactionMs: 1_500 }));
  await run();
  expect(Math.max(...groups().map(({ length }) => length))).toBeLessThan(5);
  expect(await effects()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
});

test('a transaction takes about 8 MB of payloads', async () => {
  const payload = JSON.stringify('x'.repeat(3_000_000));
  for (const event of keyed(7)) await createEvents(db, [{ ...event, payload }]);
  const { run, groups } = workerOf(() => {});
  await run();
  expect(groups()).toEqual([[1], [2, 3], [4, 5, 6], [7]]);
});

test('whatever becomes of them, and whoever creates meanwhile, each key keeps its order', async () => {
  const KEYS = ['a', 'b', 'c', 'd', 'e'];
  let isCreated = false;
  const create = async () => {
    for (let n = 0; n < 40; n++) await createEvents(db, [...keyed(3, KEYS[n % 5]!), ...keyed(1, KEYS[(n * 3) % 5]!)]);
  };
  const open = () => db.selectFrom('Events').select('id').where('open', '=', 1).executeTakeFirst();
  const stop = new AbortController();
  const pools = [database.connect(), database.connect(), database.connect()];
  const workers = pools.map((pool, n) =>
    workerOf(
      (id, { attempt, waits }) => {
        if (id % 11 === 0) return dead('eleven');
        if (id % 7 === 0 && waits === 0) return later(0);
        if (id % 5 === 0 && attempt === 1) throw new Error('five');
        return undefined;
      },
      { batch: 20, retryDelayMs: 0 } as HandlerOptions,
      pool,
      { once: false, claimedBy: `c${n}` },
    ),
  );
  const creating = Promise.all([create(), create()]).then(() => (isCreated = true));
  const running = Promise.all(workers.map(({ run }) => run(stop.signal)));
  await creating;
  await expect.poll(async () => isCreated && (await open()), { timeout: 60_000 }).toBeUndefined();
  stop.abort();
  await running;
  const { rows } = await sql<{ id: number; event_key: string }>`
    SELECT event_id AS id, event_key FROM effects JOIN EventPayloads ON EventPayloads.id = event_id ORDER BY at`.execute(
    db,
  );
  for (const key of KEYS) {
    const ids = rows.filter(({ event_key }) => event_key === key).map(({ id }) => id);
    expect(ids).toEqual(ids.toSorted((a, b) => a - b));
  }
  expect(rows).toHaveLength(Array.from({ length: 320 }, (_, n) => n + 1).filter((id) => id % 11 !== 0).length);
  expect(await openKeys()).toEqual([]);
  expect(Math.max(...workers.flatMap(({ groups }) => groups().map(({ length }) => length)))).toBeGreaterThan(3);
}, 90_000);
