import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../tests/test-database.ts';
import { claimEvents } from './events/claim.ts';
import { createEvents } from './events/create.ts';
import { countEvents } from './events/read.ts';
import { failEvents, fillEvents, releaseEvents } from './events/settle.ts';

const LEASE_MS = 30_000;

/** `count` empty events. */
const some = (count: number) => Array.from({ length: count }, () => ({}));

/** A claim of the first `count` rows that has not come to its end; it does when the returned function is called. */
async function claimHalfway({ connect }: TestDatabase, count: number): Promise<() => Promise<void>> {
  // The pool has one connection: what this transaction locks stays locked from one statement to the next.
  const holder = connect({ poolSize: 1 });
  await sql`SET autocommit = 0`.execute(holder);
  await sql`
    SELECT id FROM Events FORCE INDEX (claim) WHERE open = 1 AND due_at <= NOW(3)
    ORDER BY due_at, id LIMIT ${sql.lit(count)} FOR UPDATE`.execute(holder);
  return async () => {
    await sql`COMMIT`.execute(holder);
  };
}

test('a claim passes over rows that another claim has locked, and does not wait for them', async () => {
  await using database = await createTestDatabase();
  await createEvents(database.db, some(5));
  const unlock = await claimHalfway(database, 2);
  const { claims } = await claimEvents(database.db, { claimedBy: 'b/1', limit: 2, leaseMs: LEASE_MS });
  expect(claims.map(({ id }) => id)).toEqual([3, 4]);
  await unlock();
  expect(
    (await claimEvents(database.db, { claimedBy: 'b/2', limit: 10, leaseMs: LEASE_MS })).claims.map(({ id }) => id),
  ).toEqual([1, 2, 5]);
});

test('eight claimers at once never get the same event, and together get all', async () => {
  await using database = await createTestDatabase();
  const { db } = database;
  await createEvents(db, some(2_000));
  const claimed: number[] = [];
  await Promise.all(
    Array.from({ length: 8 }, async (_, claimer) => {
      for (let n = 0; claimed.length < 2_000; n++) {
        const { claims } = await claimEvents(db, {
          claimedBy: `claimer-${claimer}/${n}`,
          limit: 50,
          leaseMs: LEASE_MS,
        });
        claimed.push(...claims.map(({ id }) => id));
      }
    }),
  );
  expect(claimed).toHaveLength(2_000);
  expect(new Set(claimed).size).toBe(2_000);
});

test('a late filler cannot overwrite a newer claim, nor its word', async () => {
  await using database = await createTestDatabase();
  const { db, letTimePass } = database;
  await createEvents(db, some(1));
  await claimEvents(db, { claimedBy: 'slow/1', limit: 1, leaseMs: LEASE_MS });
  await letTimePass();
  const [claim] = (await claimEvents(db, { claimedBy: 'quick/1', limit: 1, leaseMs: LEASE_MS })).claims;
  expect(
    (await fillEvents(db, { claimedBy: 'slow/1', fills: [{ id: 1, attempt: 1, valor: 'velho' }] })).filled,
  ).toEqual(new Set());
  expect((await fillEvents(db, { claimedBy: 'quick/1', fills: [{ ...claim!, valor: 'novo' }] })).filled).toEqual(
    new Set([1]),
  );
  expect(
    (await fillEvents(db, { claimedBy: 'slow/1', fills: [{ id: 1, attempt: 1, valor: 'velho' }] })).filled,
  ).toEqual(new Set());
  expect(await db.selectFrom('Events').select('valor').execute()).toEqual([{ valor: 'novo' }]);
});

test('a late release or failure cannot take an event from its newer holder', async () => {
  await using database = await createTestDatabase();
  const { db, letTimePass } = database;
  await createEvents(db, some(1));
  const { claims: late } = await claimEvents(db, { claimedBy: 'slow/1', limit: 1, leaseMs: LEASE_MS });
  await letTimePass();
  await claimEvents(db, { claimedBy: 'quick/1', limit: 1, leaseMs: LEASE_MS });
  expect(await releaseEvents(db, { claimedBy: 'slow/1', claims: late })).toMatchObject({ released: 0 });
  const failures = late.map((claim) => ({ ...claim, reason: 'tarde' }));
  expect(
    await failEvents(db, { claimedBy: 'slow/1', failures, retry: { maxAttempts: 1, firstDelayMs: 1, maxDelayMs: 1 } }),
  ).toMatchObject({ failed: 0 });
  expect(await db.selectFrom('Events').select(['claimed_by', 'attempts', 'processing']).execute()).toEqual([
    { claimed_by: 'quick/1', attempts: 2, processing: 1 },
  ]);
});

test('when a lease runs out under two claimers, one of them gets the event', async () => {
  await using database = await createTestDatabase();
  const { db, letTimePass } = database;
  await createEvents(db, some(1));
  for (let round = 1; round <= 20; round++) {
    await claimEvents(db, { claimedBy: `dead/${round}`, limit: 1, leaseMs: LEASE_MS });
    await letTimePass();
    const claims = await Promise.all([
      claimEvents(db, { claimedBy: `a/${round}`, limit: 1, leaseMs: LEASE_MS }),
      claimEvents(db, { claimedBy: `b/${round}`, limit: 1, leaseMs: LEASE_MS }),
    ]);
    expect(claims.flatMap((result) => result.claims)).toHaveLength(1);
    await letTimePass();
  }
});

test('of two fillers of the same claim, one word stays', async () => {
  await using database = await createTestDatabase();
  const { db } = database;
  await createEvents(db, some(1));
  await claimEvents(db, { claimedBy: 'a/1', limit: 1, leaseMs: LEASE_MS });
  await Promise.all(
    ['um', 'dois'].map((valor) => fillEvents(db, { claimedBy: 'a/1', fills: [{ id: 1, attempt: 1, valor }] })),
  );
  const [first] = await db.selectFrom('Events').select('valor').execute();
  await fillEvents(db, { claimedBy: 'a/1', fills: [{ id: 1, attempt: 1, valor: 'três' }] });
  expect(await db.selectFrom('Events').select('valor').execute()).toEqual([first]);
});

test('creates from many connections share no id and leave no gap', async () => {
  await using database = await createTestDatabase({ poolSize: 16, queueWaitMs: 10_000 });
  const { db } = database;
  const firsts = await Promise.all(Array.from({ length: 200 }, (_, n) => createEvents(db, some(1 + (n % 3)))));
  expect(new Set(firsts).size).toBe(200);
  const { rows } = await sql<{ events: number; newest: number }>`
    SELECT COUNT(*) AS events, MAX(id) AS newest FROM Events`.execute(db);
  expect(rows[0]).toEqual({ events: 399, newest: 399 });
  expect(await countEvents(db)).toBe(399);
});

test('creates, claims, fills and releases at once all come to an end, and every event is filled once', async () => {
  await using database = await createTestDatabase({ poolSize: 16, queueWaitMs: 10_000 });
  const { db } = database;
  const TOTAL = 3_000;
  let filled = 0;
  const create = async () => {
    for (let n = 0; n < TOTAL / 100; n++) await createEvents(db, some(100));
  };
  const consume = async (consumer: number) => {
    for (let n = 0; filled < TOTAL; n++) {
      const claimedBy = `consumer-${consumer}/${n}`;
      const { claims } = await claimEvents(db, { claimedBy, limit: 70, leaseMs: LEASE_MS });
      const fills = claims.slice(0, 60).map((claim) => ({ ...claim, valor: 'ar' }));
      const result = await fillEvents(db, { claimedBy, fills });
      filled += result.filled.size;
      await releaseEvents(db, { claimedBy, claims: claims.slice(60) });
    }
  };
  await Promise.all([create(), ...[1, 2, 3, 4].map(consume)]);
  expect(filled).toBe(TOTAL);
});
