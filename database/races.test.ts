import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { claimIds, claimWords } from '../tests/claim-words.ts';
import { createTestDatabase, type TestDatabase } from '../tests/test-database.ts';
import { createEvents } from './events/create.ts';
import { countEvents } from './events/read.ts';
import { fillEvents, giveBackEvents } from './events/settle.ts';

/** `count` empty events. */
const some = (count: number) => Array.from({ length: count }, () => ({}));

/** A claim of the first `count` rows that has not come to its end; it does when the returned function is called. */
async function claimHalfway({ connect }: TestDatabase, count: number): Promise<() => Promise<void>> {
  // The pool has one connection: what this transaction locks stays locked from one statement to the next.
  const holder = connect({ poolSize: 1 });
  await sql`SET autocommit = 0`.execute(holder);
  await sql`
    SELECT id FROM Events FORCE INDEX (claim) WHERE kind = 1 AND open = 1 AND due_at <= UTC_TIMESTAMP(3)
    ORDER BY kind, open, due_at, id LIMIT ${sql.lit(count)} FOR UPDATE`.execute(holder);
  return async () => {
    await sql`COMMIT`.execute(holder);
  };
}

test('a claim passes over rows that another claim has locked, and does not wait for them', async () => {
  await using database = await createTestDatabase();
  await createEvents(database.db, some(5));
  const unlock = await claimHalfway(database, 2);
  expect(await claimIds(database.db, { claimedBy: 'b', limit: 2 })).toEqual([3, 4]);
  await unlock();
  expect(await claimIds(database.db, { claimedBy: 'b' })).toEqual([1, 2, 5]);
});

test('eight claimers at once never get the same event, and together get all', async () => {
  await using database = await createTestDatabase();
  const { db } = database;
  await createEvents(db, some(2_000));
  const claimed: number[] = [];
  await Promise.all(
    Array.from({ length: 8 }, async (_, claimer) => {
      while (claimed.length < 2_000) {
        const { claims } = await claimWords(db, { claimedBy: `claimer-${claimer}`, limit: 50 });
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
  await claimWords(db, { claimedBy: 'slow' });
  await letTimePass();
  const [claim] = (await claimWords(db, { claimedBy: 'quick' })).claims;
  const late = [{ id: 1, attempt: 1, valor: 'velho' }];
  const newer = [{ ...claim!, valor: 'novo' }];
  expect(await fillEvents(db, { claimedBy: 'slow', claims: late })).toMatchObject({ written: [], lost: late });
  expect(await fillEvents(db, { claimedBy: 'quick', claims: newer })).toMatchObject({ written: newer });
  expect(await fillEvents(db, { claimedBy: 'slow', claims: late })).toMatchObject({ written: [], lost: late });
  expect(await db.selectFrom('Events').select('valor').execute()).toEqual([{ valor: 'novo' }]);
});

test('a late release or failure cannot take an event from its newer holder', async () => {
  await using database = await createTestDatabase();
  const { db, letTimePass } = database;
  await createEvents(db, some(1));
  const { claims: late } = await claimWords(db, { claimedBy: 'slow' });
  await letTimePass();
  await claimWords(db, { claimedBy: 'quick' });
  const { id, attempt } = late[0]!;
  for (const outcome of [
    { outcome: 'released' },
    { outcome: 'later', delayMs: 0 },
    { outcome: 'failed', reason: 'tarde', delayMs: undefined },
    { outcome: 'refused', reason: 'tarde' },
  ] as const) {
    const claims = [{ id, attempt, ...outcome }];
    expect(await giveBackEvents(db, { claimedBy: 'slow', claims })).toEqual({ givenBack: 0, locked: [] });
  }
  expect(await db.selectFrom('Events').select(['claimed_by', 'attempts', 'processing', 'failures']).execute()).toEqual([
    { claimed_by: 'quick', attempts: 2, processing: 1, failures: 1 },
  ]);
});

test('when a lease runs out under two claimers, one of them gets the event', async () => {
  await using database = await createTestDatabase();
  const { db, letTimePass } = database;
  await createEvents(db, some(1));
  for (let round = 1; round <= 20; round++) {
    await claimWords(db, { claimedBy: 'dead', maxFailures: 1_000 });
    await letTimePass();
    const claims = await Promise.all(['a', 'b'].map((claimedBy) => claimIds(db, { claimedBy, maxFailures: 1_000 })));
    expect(claims.flat()).toEqual([1]);
    await letTimePass();
    // Each lost lease is counted once, however many find it over.
    const row = await db.selectFrom('Events').select(['attempts', 'failures']).executeTakeFirst();
    expect(row).toEqual({ attempts: 2 * round, failures: 2 * round - 1 });
  }
});

test('of two fillers of the same claim, one word stays', async () => {
  await using database = await createTestDatabase();
  const { db } = database;
  await createEvents(db, some(1));
  await claimWords(db, { claimedBy: 'a' });
  await Promise.all(
    ['um', 'dois'].map((valor) => fillEvents(db, { claimedBy: 'a', claims: [{ id: 1, attempt: 1, valor }] })),
  );
  const [first] = await db.selectFrom('Events').select('valor').execute();
  await fillEvents(db, { claimedBy: 'a', claims: [{ id: 1, attempt: 1, valor: 'três' }] });
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
    const claimedBy = `consumer-${consumer}`;
    while (filled < TOTAL) {
      const { claims } = await claimWords(db, { claimedBy, limit: 70 });
      // A claim that steps over what others hold locks it for a moment; what it passed over so is tried again.
      for (let fills = claims.slice(0, 60).map((claim) => ({ ...claim, valor: 'ar' })); fills.length > 0; ) {
        const { written, locked } = await fillEvents(db, { claimedBy, claims: fills });
        filled += written.length;
        fills = [...locked];
      }
      let released = claims.slice(60).map((claim) => ({ ...claim, outcome: 'released' as const }));
      while (released.length > 0) released = [...(await giveBackEvents(db, { claimedBy, claims: released })).locked];
    }
  };
  await Promise.all([create(), ...[1, 2, 3, 4].map(consume)]);
  expect(filled).toBe(TOTAL);
});
