import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { claimIds, claimWords } from '../tests/claim-words.ts';
import { createTestDatabase } from '../tests/test-database.ts';
import type { Database } from './connect.ts';
import { lockNextEvents } from './events/claim.ts';
import { createEvents } from './events/create.ts';
import { listDead } from './events/operate.ts';
import { fillEvents } from './events/settle.ts';

/** What a claim reads, by the server's counters for the session: a pool of one connection has one session. */

const LIMIT = 20;
/** What a claim reads and what it writes, and a few rows that are not of Events. */
const FLAT = 2 * LIMIT + 10;
const one = { poolSize: 1, statementTimeoutMs: 60_000 };
const some = (count: number, event = {}) => Array.from({ length: count }, () => event);

/** How many rows of an index or a table are read meanwhile, one after the other. */
async function rowsRead(db: Database, work: () => Promise<unknown>): Promise<number> {
  await sql`FLUSH STATUS`.execute(db);
  await work();
  const { rows } = await sql<{ Value: string }>`
    SHOW SESSION STATUS WHERE Variable_name IN ('Handler_read_next', 'Handler_read_prev')`.execute(db);
  return rows.reduce((sum, row) => sum + Number(row.Value), 0);
}

/** Whoever looks at all that is due has just done so, or does it now. */
const lookedAt = (db: Database, time: 'just now' | 'long ago') =>
  sql`UPDATE Kinds SET looked_at = UTC_TIMESTAMP(3) + INTERVAL ${time === 'just now' ? 1 : -1} HOUR`.execute(db);

/** Each event due at its own time, a second after the one before, in the past. */
const spreadDueTimes = (db: Database) =>
  sql`UPDATE Events SET due_at = UTC_TIMESTAMP(3) - INTERVAL (100000 - id) SECOND WHERE open = 1`.execute(db);

test('a claim reads about as many rows as it takes, however many are filled or waiting', async () => {
  await using database = await createTestDatabase(one);
  const { db } = database;
  await createEvents(db, some(10_000));
  await sql`UPDATE Events SET valor = 'sim'`.execute(db);
  await createEvents(db, some(300));
  const read = await rowsRead(db, async () => {
    expect(await claimIds(db, { limit: LIMIT })).toHaveLength(LIMIT);
  });
  expect(read).toBeLessThanOrEqual(FLAT);
});

test('a look at all that is due reads a backlog no further than the claim needs it', async () => {
  await using database = await createTestDatabase(one);
  const { db } = database;
  for (let n = 0; n < 3; n++) await createEvents(db, some(10_000));
  await spreadDueTimes(db);
  const read = await rowsRead(db, async () => {
    expect(await claimIds(db, { limit: LIMIT })).toHaveLength(LIMIT);
  });
  expect(read).toBeLessThanOrEqual(FLAT);
});

test.each(['at its own time', 'at the same time'])(
  'with 10,000 held, each due %s, a claim with a cursor passes over them',
  async (due) => {
    await using database = await createTestDatabase(one);
    const { db } = database;
    for (let n = 0; n < 2; n++) await createEvents(db, some(10_000));
    if (due === 'at its own time') await spreadDueTimes(db);
    else await sql`UPDATE Events SET due_at = UTC_TIMESTAMP(3) - INTERVAL 1 HOUR`.execute(db);
    const { claims, nextSince } = await claimWords(db, { limit: 10_000 });
    expect(claims).toHaveLength(10_000);
    await lookedAt(db, 'just now');
    const read = await rowsRead(db, async () => {
      expect(await claimIds(db, { since: nextSince, limit: LIMIT })).toHaveLength(LIMIT);
    });
    // Of those that are due at the same millisecond as the cursor, none is locked, but all are read.
    expect(read).toBeLessThanOrEqual(due === 'at its own time' ? FLAT : 10_000 + FLAT);

    // The look that finds lost leases reads what is held twice: for the first that is free, and for those that are lost.
    await lookedAt(db, 'long ago');
    const readByLook = await rowsRead(db, async () => {
      expect(await claimIds(db, { since: nextSince, limit: LIMIT })).toHaveLength(LIMIT);
    });
    expect(readByLook).toBeGreaterThanOrEqual(10_000);
    expect(readByLook).toBeLessThanOrEqual(20_000 + 5 * LIMIT);
  },
);

test('looks at all that is due, and claims, lock nothing that others hold: no fill is passed over', async () => {
  await using database = await createTestDatabase();
  const { db } = database;
  await createEvents(db, some(10_000));
  const { claims } = await claimWords(db, { limit: 5_000 });
  const other = database.connect({ poolSize: 2 });
  let isFilled = false;
  const look = async (claimedBy: string) => {
    let looks = 0;
    while (!isFilled) {
      const { nextSince } = await claimWords(other, { claimedBy, limit: 5 });
      await claimWords(other, { claimedBy, limit: 5, since: nextSince });
      looks++;
    }
    return looks;
  };
  const looking = Promise.all([look('b'), look('c')]);
  const locked: number[] = [];
  for (let n = 0; n < claims.length; n += 25) {
    const fills = claims.slice(n, n + 25).map((claim) => ({ ...claim, valor: 'sim' }));
    const result = await fillEvents(db, { claimedBy: 'a', claims: fills });
    expect(result.lost).toEqual([]);
    locked.push(...result.locked.map(({ id }) => id));
  }
  isFilled = true;
  expect(Math.min(...(await looking))).toBeGreaterThan(3);
  expect(locked).toEqual([]);
});

test('a key with a head that pauses for an hour and 100,000 that wait slows neither a claim nor a create', async () => {
  await using database = await createTestDatabase({ ...one, retryMs: 30_000 });
  const { db } = database;
  await createEvents(db, [{ key: 'k', delayMs: 3_600_000 }]);
  for (let n = 0; n < 10; n++) await createEvents(db, some(10_000, { key: 'k' }));
  await createEvents(
    db,
    Array.from({ length: 1_000 }, (_, n) => ({ key: `other-${n}` })),
  );
  const read = await rowsRead(db, async () => {
    expect(await claimIds(db, { limit: LIMIT })).toHaveLength(LIMIT);
  });
  expect(read).toBeLessThanOrEqual(2 * FLAT);
  expect(await rowsRead(db, () => createEvents(db, [{ key: 'k' }]))).toBeLessThanOrEqual(20);
  // And the head, once it is due, lets the next one pass without a look at the others.
  await sql`UPDATE Events SET due_at = UTC_TIMESTAMP(3) - INTERVAL 1 HOUR WHERE id = 1`.execute(db);
  const [head] = (await claimWords(db, { limit: 1 })).claims;
  expect(head).toMatchObject({ id: 1 });
  const fills = [{ ...head!, valor: 'sim' }];
  expect(await rowsRead(db, () => fillEvents(db, { claimedBy: 'a', claims: fills }))).toBeLessThanOrEqual(20);
  expect(await db.selectFrom('Events').select('processing').where('id', '=', 2).execute()).toEqual([{ processing: 0 }]);
});

test('a list of the dead reads about as many rows as it shows, however many are filled, open or dead', async () => {
  await using database = await createTestDatabase(one);
  const { db } = database;
  await createEvents(db, some(10_000));
  await sql`UPDATE Events SET valor = 'sim'`.execute(db);
  await createEvents(db, some(2_000));
  await sql`UPDATE Events SET due_at = NULL WHERE id > 11000`.execute(db);
  const read = await rowsRead(db, async () => {
    expect((await listDead(db, { limit: LIMIT, after: 11_500 })).map(({ id }) => id)).toEqual(
      some(LIMIT).map((_, n) => 11_501 + n),
    );
  });
  expect(read).toBeLessThanOrEqual(FLAT);
});

test('the next of a key is found without reading what waits behind it', async () => {
  await using database = await createTestDatabase(one);
  const { db } = database;
  await createEvents(db, some(10_000, { key: 'k' }));
  const next = { kind: 'word', limit: LIMIT, maxFailures: 5, payloadRoom: 1, after: [9], nth: 9 };
  const read = await rowsRead(db, async () => {
    expect((await lockNextEvents(db, next)).map(({ id }) => id)).toEqual([10]);
  });
  expect(read).toBeLessThanOrEqual(FLAT);
});
