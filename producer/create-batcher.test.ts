import { setImmediate as nextTurn } from 'node:timers/promises';
import { array, assert, asyncProperty, constantFrom, integer, record } from 'fast-check';
import { sql } from 'kysely';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { DatabaseError } from '../database/database-error.ts';
import { createEvents } from '../database/events/create.ts';
import { countEvents } from '../database/events/read.ts';
import { createTestDatabase, useTestDatabase } from '../tests/test-database.ts';
import { createBatcher, QueueFullError } from './create-batcher.ts';

const database = await useTestDatabase();
const { db } = database;
/** What the batcher uses. One connection, so that its session counts every statement. */
const single = database.connect({ poolSize: 1 });

const startBatcher = (limits: { maxRequests?: number; maxQueued?: number; maxWaitMs?: number } = {}) =>
  createBatcher({ db: single, maxRequests: 1_000, maxQueued: 50_000, ...limits });

/** `count` new events. */
const some = (count: number) => Array.from({ length: count }, () => ({}));

/** `count` numbers that follow each other. */
const range = (first: number, count: number) => Array.from({ length: count }, (_, index) => first + index);

/** How many transactions have been made. */
async function transactions(): Promise<number> {
  const { rows } = await sql<{ Value: string }>`SHOW SESSION STATUS LIKE 'Com_commit'`.execute(single);
  return Number(rows[0]!.Value);
}

async function createdIds(): Promise<number[]> {
  const rows = await db.selectFrom('Events').select('id').orderBy('id').execute();
  return rows.map(({ id }) => id);
}

/** Makes every create wait, until the returned function is called. */
async function holdCreates(): Promise<() => Promise<void>> {
  const holder = database.connect({ poolSize: 1 });
  await sql`SET autocommit = 0`.execute(holder);
  await sql`SELECT id FROM DBStatus FOR UPDATE`.execute(holder);
  const release = async () => {
    await sql`COMMIT`.execute(holder);
  };
  onTestFinished(release);
  return release;
}

/** Resolves when a transaction is under way that waits for `holdCreates`, to the id of its connection. */
function untilHeld(): Promise<number> {
  return vi.waitFor(
    async () => {
      const { rows } = await sql<{ connection: number }>`
        SELECT id AS connection FROM information_schema.processlist
        WHERE db = DATABASE() AND info LIKE 'UPDATE DBStatus%'`.execute(db);
      expect(rows).toHaveLength(1);
      return rows[0]!.connection;
    },
    { timeout: 4_000 },
  );
}

describe('group commit', () => {
  test('creates that arrive together share one transaction, and each gets an id of its own', async () => {
    const create = startBatcher();
    const before = await transactions();
    const ids = await Promise.all(range(1, 100).map(() => create([{}])));
    expect((await transactions()) - before).toBe(1);
    expect(ids).toEqual(range(1, 100));
    expect(await createdIds()).toEqual(ids);
  });

  test('a request for several events gets ids that follow each other', async () => {
    const create = startBatcher();
    expect(await Promise.all([3, 1, 5, 2].map((count) => create(some(count))))).toEqual([1, 4, 5, 10]);
    expect(await createdIds()).toEqual(range(1, 11));
  });

  test('what arrives while one transaction is under way gathers for the next', async () => {
    const create = startBatcher();
    const before = await transactions();
    const release = await holdCreates();
    const first = create([{}]);
    await untilHeld();
    const later: Promise<number>[] = [];
    for (let n = 1; n <= 50; n++) {
      later.push(create([{}]));
      await nextTurn(); // none of them may start a transaction of its own
    }
    await release();
    expect(await first).toBe(1);
    expect(await Promise.all(later)).toEqual(range(2, 50));
    expect((await transactions()) - before).toBe(2);
  });

  test('what arrives while others have their turn at DBStatus gathers too', async () => {
    const create = startBatcher();
    expect(await create([{}])).toBe(1);
    await createEvents(db, [{}]); // another producer's
    const before = await transactions();
    const release = await holdCreates();
    const first = create([{}]);
    await untilHeld();
    const second = create([{}]);
    await sql`DO SLEEP(0.02)`.execute(db); // so long the first waits at least
    const released = release();
    expect(await first).toBe(3);
    const third = create([{}]);
    expect(await Promise.all([second, third])).toEqual([4, 5]);
    await released;
    expect((await transactions()) - before).toBe(2);
  });

  test('creates with keys that a producer waited for are its own: nothing gathers for others', async () => {
    const create = startBatcher();
    expect(await create([{}])).toBe(1);
    await createEvents(db, [{}]); // another producer's
    const before = await transactions();
    const release = await holdCreates();
    const together = [create([{}]), create([{}], 'a key')];
    await untilHeld();
    const second = create([{}]);
    await sql`DO SLEEP(0.02)`.execute(db);
    await release();
    await Promise.all(together);
    await nextTurn(); // by now the second is sent
    await Promise.all([second, create([{}])]);
    expect((await transactions()) - before).toBe(4);
  });

  test('alone it waits for nobody, however long a transaction took', async () => {
    const create = startBatcher();
    expect(await create([{}])).toBe(1);
    const before = await transactions();
    const release = await holdCreates();
    const first = create([{}]);
    await untilHeld();
    const second = create([{}]);
    await sql`DO SLEEP(0.02)`.execute(db);
    await release();
    expect(await first).toBe(2);
    expect(await Promise.all([second, create([{}])])).toEqual([3, 4]);
    expect((await transactions()) - before).toBe(3);
  });

  test('a create that finds nothing under way waits for nobody', async () => {
    const create = startBatcher();
    for (const id of [1, 2, 3]) expect(await create([{}])).toBe(id);
  });

  test.each([
    ['requests', { maxRequests: 4 }, range(1, 10).map(() => 1), 3],
    ['events', {}, [6_000, 6_000, 3_000, 1_000, 10_000, 1], 4],
  ])('a transaction carries only so many %s', async (_, limits, sizes, expected) => {
    const create = startBatcher(limits);
    const before = await transactions();
    await Promise.all(sizes.map((size) => create(some(size))));
    expect((await transactions()) - before).toBe(expected);
    expect(await countEvents(db)).toBe(sizes.reduce((sum, size) => sum + size));
  });

  test('a transaction carries only so much of payloads, and a request with more goes alone', async () => {
    const create = startBatcher({ maxWaitMs: 30_000 });
    const before = await transactions();
    const mebibyte = { kind: 'email', payload: JSON.stringify('x'.repeat(1_048_574)) };
    const sizes = [1, 3, 1, 5, 1];
    const ids = await Promise.all(sizes.map((size) => create(Array.from({ length: size }, () => mebibyte))));
    expect((await transactions()) - before).toBe(4);
    expect(ids).toEqual([1, 2, 5, 6, 11]);
  }, 30_000);

  test('whatever arrives whenever, each caller gets one answer, and no id is given twice or left out', async () => {
    const request = record({
      size: integer({ min: 1, max: 30 }),
      pause: constantFrom('at once', 'in the next turn', 'when it is answered'),
    });
    const requests = array(request, { minLength: 1, maxLength: 25 });
    const property = asyncProperty(requests, integer({ min: 1, max: 6 }), async (requests, maxRequests) => {
      const before = await countEvents(db);
      const create = startBatcher({ maxRequests });
      const answers: Promise<number[]>[] = [];
      for (const { size, pause } of requests) {
        const answer = create(some(size)).then((firstId) => range(firstId, size));
        answers.push(answer);
        if (pause === 'in the next turn') await nextTurn();
        if (pause === 'when it is answered') await answer;
      }
      const ids = (await Promise.all(answers)).flat().toSorted((a, b) => a - b);
      expect(ids).toEqual(range(before + 1, ids.length));
      expect(await countEvents(db)).toBe(before + ids.length);
    });
    await assert(property, { numRuns: 50 });
  });
});

describe('when a transaction fails', () => {
  test('all of its requests are rejected with what happened, and those that gathered meanwhile go on', async () => {
    const create = startBatcher();
    const release = await holdCreates();
    const lost = [1, 2, 3].map((count) => create(some(count)).catch((error: DatabaseError) => error.fault));
    const connection = await untilHeld();
    const next = [2, 1].map((count) => create(some(count)));
    await sql`KILL ${sql.lit(connection)}`.execute(db);
    expect(await Promise.all(lost)).toEqual(['unknown', 'unknown', 'unknown']);
    await release();
    expect(await Promise.all(next)).toEqual([1, 3]);
    expect(await createdIds()).toEqual([1, 2, 3]);
  });

  test('its events no longer count as waiting', async () => {
    const create = startBatcher({ maxQueued: 3 });
    await sql`UPDATE DBStatus SET id = 9007199254740991`.execute(db); // there is no id after this one
    for (let round = 1; round <= 3; round++) {
      const results = await Promise.allSettled([create(some(1)), create(some(2))]);
      expect(results).toMatchObject([1, 2].map(() => ({ status: 'rejected', reason: { fault: 'permanent' } })));
    }
    await sql`UPDATE DBStatus SET id = 0`.execute(db);
    expect(await create(some(3))).toBe(1);
    expect(await createdIds()).toEqual([1, 2, 3]);
  });
});

describe('when too many events wait', () => {
  test('their payloads count as well, for as long as they wait', async () => {
    const create = createBatcher({ db: single, maxRequests: 1_000, maxWaitMs: 200 });
    const release = await holdCreates();
    const underWay = create([{}]);
    await untilHeld();
    const mebibyte = { payload: JSON.stringify('x'.repeat(1_048_574)) };
    const large = Array.from({ length: 8 }, () => mebibyte);
    const waiting = Promise.allSettled(Array.from({ length: 8 }, () => create(large)));
    await expect(create([{ payload: '0' }])).rejects.toThrow('wait');
    expect((await waiting).map(({ status }) => status)).toEqual(large.map(() => 'rejected'));
    await release();
    expect(await underWay).toBe(1);
    expect(await create([{ payload: '0' }])).toBe(2);
  });

  test('a further create is rejected at once with nothing created, and a later one goes through', async () => {
    const create = startBatcher({ maxQueued: 10 });
    const taken = [create(some(6)), create(some(4))];
    await expect(create(some(1))).rejects.toBeInstanceOf(QueueFullError);
    expect(await Promise.all(taken)).toEqual([1, 7]);
    expect(await createdIds()).toEqual(range(1, 10));
    expect(await create(some(10))).toBe(11);
  });

  test('what is under way does not count as waiting', async () => {
    const create = startBatcher({ maxQueued: 10 });
    const release = await holdCreates();
    const underWay = create(some(10));
    await untilHeld();
    const waiting = create(some(10));
    await expect(create(some(1))).rejects.toBeInstanceOf(QueueFullError);
    await release();
    expect(await Promise.all([underWay, waiting])).toEqual([1, 11]);
    expect(await createdIds()).toEqual(range(1, 20));
  });
});

test('a create that waits is refused in time, though the one before it hangs', async () => {
  const create = createBatcher({ db: single, maxRequests: 1_000, maxQueued: 50_000, maxWaitMs: 100 });
  const release = await holdCreates();
  const underWay = create(some(1));
  await untilHeld();
  const refusals = [0, 1].map(() => create(some(1)).catch((error: unknown) => error));
  const first = await Promise.race([underWay, Promise.all(refusals)]);
  expect(first).toMatchObject([{ name: 'QueueFullError' }, { name: 'QueueFullError' }]);
  await release();
  expect(await underWay).toBe(1);
  expect(await create(some(1))).toBe(2);
  expect(await createdIds()).toEqual([1, 2]);
});

test('a create that has waited too long for its transaction is refused, and nothing of it is created', async () => {
  await using database = await createTestDatabase();
  const { db } = database;
  const create = createBatcher({ db, maxRequests: 1, maxQueued: 100, maxWaitMs: 1 });
  // The counter is locked for a while, so the first create holds up all that come after it.
  const lock = sql`UPDATE DBStatus SET id = id + SLEEP(0.3)`.execute(db);
  const outcomes = await Promise.allSettled([create([{}]), create([{}]), create([{}])]);
  await lock;
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
  expect(outcomes[2]).toMatchObject({ reason: { name: 'QueueFullError' } });
  expect(await countEvents(db)).toBe(1);
});

test('what was refused takes no place in the queue, and who comes behind the same hanging create is refused in time as well', async () => {
  const create = createBatcher({ db: single, maxRequests: 1_000, maxQueued: 10, maxWaitMs: 50 });
  const release = await holdCreates();
  const underWay = create(some(1));
  await untilHeld();
  for (let round = 0; round < 2; round++) {
    await expect(create(some(10))).rejects.toThrow('not inserted within 50 ms');
  }
  await release();
  expect(await underWay).toBe(1);
  expect(await create(some(10))).toBe(2);
});
