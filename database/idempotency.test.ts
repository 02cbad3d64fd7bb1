import { sql } from 'kysely';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startDatabaseLink } from '../tests/database-link.ts';
import { useTestDatabase } from '../tests/test-database.ts';
import { connectDatabase } from './connect.ts';
import { createEvents, createEventsOnce, forgetKeys } from './events/create.ts';
import { countEvents } from './events/read.ts';

const database = await useTestDatabase();
const { db } = database;

const DAY_MS = 86_400_000;

/** A create of `howMany` events under a key. */
const keyed = (key: string, howMany = 1) => ({ key, events: Array.from({ length: howMany }, () => ({})) });

const allIds = async () => (await db.selectFrom('Events').select('id').orderBy('id').execute()).map(({ id }) => id);

describe('createEventsOnce', () => {
  test('creates what each key asks for, in one row of ids', async () => {
    await createEvents(db, [{}]);
    const made = await createEventsOnce(db, [keyed('a', 2), keyed('b'), keyed('c', 3)]);
    expect(Object.fromEntries(made)).toEqual({
      a: { firstId: 2, howMany: 2 },
      b: { firstId: 4, howMany: 1 },
      c: { firstId: 5, howMany: 3 },
    });
    expect(await allIds()).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(await countEvents(db)).toBe(7);
    expect(await createEvents(db, [{}])).toBe(8);
  });

  test('takes a key that is forgotten while it is repeated for a new one', async () => {
    await createEventsOnce(db, [keyed('old')]);
    // Makes room between what a create reads first and what it reads last.
    await sql`CREATE TRIGGER slowly BEFORE INSERT ON IdempotencyKeys FOR EACH ROW DO SLEEP(0.5)`.execute(db);
    try {
      const creating = createEventsOnce(db, [keyed('old'), keyed('new')]);
      await expect
        .poll(() =>
          sql`SELECT 1 FROM information_schema.PROCESSLIST WHERE STATE = 'User sleep' AND DB = DATABASE()`.execute(db),
        )
        .toMatchObject({ rows: [expect.anything()] });
      await sql`DELETE FROM IdempotencyKeys WHERE idempotency_key = 'old'`.execute(db);
      expect(Object.fromEntries(await creating)).toEqual({
        old: { firstId: 3, howMany: 1 },
        new: { firstId: 2, howMany: 1 },
      });
    } finally {
      await sql`DROP TRIGGER slowly`.execute(db);
    }
    expect(await allIds()).toEqual([1, 2, 3]);
  });

  test('stays unknown when nobody answers the repeat either, not even to take it', async () => {
    const link = await startDatabaseLink();
    const linked = connectDatabase({
      url: link.url(new URL(database.url).pathname.slice(1)),
      statementTimeoutMs: 300,
      connectTimeoutMs: 300,
      retryMs: 500,
    });
    onTestFinished(() => linked.destroy());
    await createEventsOnce(linked, [keyed('a')]);
    link.swallow(true);
    await expect(createEventsOnce(linked, [keyed('b')])).rejects.toMatchObject({ fault: 'unknown' });
  });

  test('answers a key that was used before with its events, and creates nothing for it', async () => {
    await createEventsOnce(db, [keyed('a', 2)]);
    const again = await createEventsOnce(db, [keyed('new'), keyed('a', 2), keyed('newer')]);
    expect(Object.fromEntries(again)).toEqual({
      new: { firstId: 3, howMany: 1 },
      a: { firstId: 1, howMany: 2 },
      newer: { firstId: 4, howMany: 1 },
    });
    expect(await createEventsOnce(db, [keyed('a', 2)])).toEqual(new Map([['a', { firstId: 1, howMany: 2 }]]));
    expect(await allIds()).toEqual([1, 2, 3, 4]);
    expect(await countEvents(db)).toBe(4);
  });

  test('tells how many events a key stands for, when it is asked for another number', async () => {
    await createEventsOnce(db, [keyed('a', 2)]);
    expect(await createEventsOnce(db, [keyed('a', 5)])).toEqual(new Map([['a', { firstId: 1, howMany: 2 }]]));
    expect(await countEvents(db)).toBe(2);
  });

  test('tells keys apart by case and by every character', async () => {
    const keys = ['key', 'KEY', 'Key', 'key!', '"key"', "k'ey", 'k\\ey', 'k$.ey', 'x'.repeat(255)];
    const made = await createEventsOnce(
      db,
      keys.map((key) => keyed(key)),
    );
    expect([...made.keys()].toSorted()).toEqual(keys.toSorted());
    expect(new Set([...made.values()].map(({ firstId }) => firstId)).size).toBe(keys.length);
  });

  test('creates 10,000 events under one key', async () => {
    expect((await createEventsOnce(db, [keyed('many', 10_000)])).get('many')).toEqual({ firstId: 1, howMany: 10_000 });
    expect(await countEvents(db)).toBe(10_000);
    expect((await allIds()).length).toBe(10_000);
  });

  test('gives all who use a key at once the same events', async () => {
    const pools = [1, 2].map(() => database.connect({ queueWaitMs: 10_000 }));
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        createEventsOnce(pools[index % 2]!, [keyed('same', 3), keyed(`own-${index}`)]),
      ),
    );
    expect(new Set(answers.map((made) => made.get('same')!.firstId)).size).toBe(1);
    expect(new Set(answers.map((made, index) => made.get(`own-${index}`)!.firstId)).size).toBe(50);
    expect(await countEvents(db)).toBe(53);
  });

  test('gives gapless ids beside creates without a key', async () => {
    const pool = database.connect({ queueWaitMs: 10_000 });
    await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        index % 2 ? createEvents(pool, [{}, {}]) : createEventsOnce(pool, [keyed(`k${index}`, 2)]),
      ),
    );
    expect(await allIds()).toEqual(Array.from({ length: 80 }, (_, index) => index + 1));
  });

  test('leaves no key behind when its events cannot be created', async () => {
    await sql`UPDATE DBStatus SET id = 9007199254740991`.execute(db);
    await expect(createEventsOnce(db, [keyed('last')])).rejects.toMatchObject({ fault: 'permanent' });
    expect(await db.selectFrom('IdempotencyKeys').selectAll().execute()).toEqual([]);
  });
});

describe('forgetKeys', () => {
  test('forgets the oldest first, as many as told, and never a younger one', async () => {
    await createEventsOnce(
      db,
      Array.from({ length: 5 }, (_, index) => keyed(`old-${index}`)),
    );
    // old-4 is the oldest.
    await sql`
      UPDATE IdempotencyKeys SET created_at = UTC_TIMESTAMP(3) - INTERVAL (25 + RIGHT(idempotency_key, 1)) HOUR`.execute(
      db,
    );
    await createEventsOnce(db, [keyed('young')]);
    const left = () => db.selectFrom('IdempotencyKeys').select('idempotency_key').orderBy('idempotency_key').execute();
    expect(await forgetKeys(db, { olderThanMs: DAY_MS, limit: 3 })).toBe(3);
    expect((await left()).map((row) => row.idempotency_key)).toEqual(['old-0', 'old-1', 'young']);
    expect(await forgetKeys(db, { olderThanMs: DAY_MS, limit: 3 })).toBe(2);
    expect(await forgetKeys(db, { olderThanMs: DAY_MS, limit: 3 })).toBe(0);
    expect((await left()).map((row) => row.idempotency_key)).toEqual(['young']);
    expect(await countEvents(db)).toBe(6);
  });

  test('a forgotten key is a new one', async () => {
    await createEventsOnce(db, [keyed('a')]);
    await forgetKeys(db, { olderThanMs: 0, limit: 1_000 });
    expect((await createEventsOnce(db, [keyed('a')])).get('a')!.firstId).toBe(2);
  });

  test('a key that another producer is forgetting is passed over, and not waited for', async () => {
    await createEventsOnce(db, [keyed('a'), keyed('b')]);
    const other = database.connect({ poolSize: 1 });
    await sql`SET autocommit = 0`.execute(other);
    await sql`SELECT 1 FROM IdempotencyKeys WHERE idempotency_key = 'a' FOR UPDATE`.execute(other);
    try {
      expect(await forgetKeys(db, { olderThanMs: 0, limit: 100 })).toBe(1);
    } finally {
      await sql`ROLLBACK`.execute(other);
    }
    expect(await forgetKeys(db, { olderThanMs: 0, limit: 100 })).toBe(1);
  });
});
