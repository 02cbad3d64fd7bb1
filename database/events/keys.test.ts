import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { claimIds } from '../../tests/claim-words.ts';
import { useTestDatabase } from '../../tests/test-database.ts';
import { createEvents, createEventsOnce } from './create.ts';
import { reviveEvents } from './operate.ts';
import { findEvent } from './read.ts';
import { fillEvents, giveBackEvents } from './settle.ts';

/** Events with the same key are worked on one at a time, in the order of their ids. */

const database = await useTestDatabase();
const { db, letTimePass } = database;

const row = (id: number) => db.selectFrom('Events').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
const keyed = (count: number, more = {}) => Array.from({ length: count }, () => ({ key: 'k', ...more }));
const fill = (...ids: number[]) => settle(ids, 'fill');
const refuse = (...ids: number[]) => settle(ids, 'refuse');

async function settle(ids: number[], how: 'fill' | 'refuse'): Promise<void> {
  const held = await db.selectFrom('Events').select(['id', 'attempts']).where('id', 'in', ids).execute();
  const claims = held.map(({ id, attempts }) => ({ id, attempt: attempts }));
  if (how === 'fill')
    await fillEvents(db, { claimedBy: 'a', claims: claims.map((claim) => ({ ...claim, valor: 'sim' })) });
  else
    await giveBackEvents(db, {
      claimedBy: 'a',
      claims: claims.map((claim) => ({ ...claim, outcome: 'refused', reason: 'x' })),
    });
}

const giveBack = async (id: number, outcome: object) => {
  const { attempts } = await row(id);
  await giveBackEvents(db, { claimedBy: 'a', claims: [{ id, attempt: attempts, ...outcome } as never] });
};

describe.each([
  ['one create', () => createEvents(db, keyed(3))],
  [
    'three creates',
    async () => {
      for (const event of keyed(3)) await createEvents(db, [event]);
    },
  ],
  ['one create under an idempotency key', () => createEventsOnce(db, [{ key: 'x', events: keyed(3) }])],
  [
    'two idempotency keys',
    () =>
      createEventsOnce(
        db,
        [keyed(1), keyed(2)].map((events, n) => ({ key: `${n}`, events })),
      ),
  ],
])('three of a key by %s', (_, create) => {
  test('are due one after the other, in the order of their ids', async () => {
    await create();
    for (const id of [1, 2, 3]) {
      expect(await claimIds(db)).toEqual([id]);
      expect(await claimIds(db, { claimedBy: 'b' })).toEqual([]);
      await fill(id);
    }
    expect(await claimIds(db)).toEqual([]);
    expect(await db.selectFrom('EventKeys').selectAll().execute()).toEqual([]);
  });
});

test('different keys, and events without one, run beside each other', async () => {
  await createEvents(db, [{ key: 'k' }, { key: 'l' }, {}, { key: 'k' }, { key: 'l' }, {}]);
  expect(await claimIds(db)).toEqual([1, 2, 3, 6]);
  await fill(1, 2, 3, 6);
  expect(await claimIds(db)).toEqual([4, 5]);
});

test('a key holds across kinds', async () => {
  await createEvents(db, [{ kind: 'email', key: 'k' }, { key: 'k' }, { kind: 'other', key: 'k' }]);
  expect(await claimIds(db)).toEqual([]);
  expect(await claimIds(db, { kind: 'other' })).toEqual([]);
  expect(await claimIds(db, { kind: 'email' })).toEqual([1]);
  await fill(1);
  expect(await claimIds(db, { kind: 'other' })).toEqual([]);
  expect(await claimIds(db)).toEqual([2]);
  await fill(2);
  expect(await claimIds(db, { kind: 'other' })).toEqual([3]);
});

test('whatever befalls the first of a key but its end, the others wait', async () => {
  await createEvents(db, keyed(2));
  const outcomes = [
    { outcome: 'released' },
    { outcome: 'later', delayMs: 0 },
    { outcome: 'failed', reason: 'x', delayMs: 0 },
  ];
  for (const outcome of outcomes) {
    expect(await claimIds(db)).toEqual([1]);
    await giveBack(1, outcome);
  }
  expect(await claimIds(db)).toEqual([1]);
  await sql`UPDATE Events SET lease_until = UTC_TIMESTAMP(3) WHERE id = 1`.execute(db);
  expect(await claimIds(db)).toEqual([1]);
  await giveBack(1, { outcome: 'failed', reason: 'x', delayMs: 60_000 });
  expect(await claimIds(db)).toEqual([]);
});

test('a dead event lets the next one pass, however it died', async () => {
  await createEvents(db, keyed(4));
  expect(await claimIds(db)).toEqual([1]);
  await refuse(1);
  expect(await claimIds(db)).toEqual([2]);
  await giveBack(2, { outcome: 'failed', reason: 'x', delayMs: undefined });
  expect(await claimIds(db)).toEqual([3]);
  await sql`UPDATE Events SET lease_until = UTC_TIMESTAMP(3) WHERE id = 3`.execute(db);
  await expect.poll(() => claimIds(db, { maxFailures: 1 })).toEqual([4]);
  expect(await findEvent(db, 3)).toMatchObject({ status: 'dead' });
});

test('the next one is due in the transaction that settles the one before', async () => {
  await createEvents(db, keyed(2));
  await claimIds(db);
  // Nothing else is asked of the database before the claim.
  await fillEvents(db, { claimedBy: 'a', claims: [{ id: 1, attempt: 1, valor: 'sim' }] });
  expect(await row(2)).toMatchObject({ processing: 0 });
  expect((await row(2)).due_at!.getTime()).toBeLessThan(Date.now() + 60_000);
});

test('of several that end in one call, each lets the next of its own key pass', async () => {
  await createEvents(
    db,
    ['k', 'l', 'm', 'k', 'l', 'm'].map((key) => ({ key })),
  );
  expect(await claimIds(db)).toEqual([1, 2, 3]);
  await fill(1, 3);
  expect(await claimIds(db)).toEqual([4, 6]);
  await giveBack(2, { outcome: 'refused', reason: 'x' });
  expect(await claimIds(db)).toEqual([5]);
});

test('one that waits is not due before its own delay is over, and the others wait for it', async () => {
  await createEvents(db, [{ key: 'k' }, { key: 'k', delayMs: 60_000 }, { key: 'k' }]);
  expect(await claimIds(db)).toEqual([1]);
  await fill(1);
  expect(await claimIds(db)).toEqual([]);
  const { rows } = await sql<{ s: string }>`
    SELECT TIMESTAMPDIFF(SECOND, created_at, due_at) AS s FROM Events WHERE id = 2`.execute(db);
  expect(Number(rows[0]!.s)).toBe(60);
  await letTimePass();
  expect(await claimIds(db)).toEqual([2]);
  await fill(2);
  expect(await claimIds(db)).toEqual([3]);
});

test('an event that is created behind a delayed one waits for it', async () => {
  await createEvents(db, [{ key: 'k', delayMs: 60_000 }]);
  await createEvents(db, [{ key: 'k' }]);
  expect(await claimIds(db)).toEqual([]);
});

test('an event that is created when all of its key are settled is due at once', async () => {
  await createEvents(db, keyed(1));
  await claimIds(db);
  await fill(1);
  await createEvents(db, keyed(1));
  expect(await claimIds(db)).toEqual([2]);
});

test('a fill that says that no event has a key changes no key', async () => {
  await createEvents(db, [{}, { key: 'k' }]);
  await claimIds(db);
  await fillEvents(db, { claimedBy: 'a', claims: [{ id: 1, attempt: 1, valor: 'sim' }], hasKeys: false });
  expect(await db.selectFrom('EventKeys').select('id').execute()).toEqual([{ id: 2 }]);
});

test('a revived event never runs beside another of its key', async () => {
  await createEvents(db, keyed(3));
  await claimIds(db);
  await refuse(1);
  expect(await claimIds(db)).toEqual([2]);
  expect((await reviveEvents(db, [1])).revived).toEqual(new Set([1]));
  expect(await claimIds(db)).toEqual([]);
  await fill(2);
  expect(await claimIds(db)).toEqual([1]);
  expect(await claimIds(db, { claimedBy: 'b' })).toEqual([]);
  await fill(1);
  expect(await claimIds(db)).toEqual([3]);
});

test('several of a key that are revived at once are due one after the other', async () => {
  await createEvents(db, [...keyed(3), {}]);
  for (const id of [1, 2, 3]) {
    await claimIds(db);
    await refuse(id);
  }
  await refuse(4);
  expect((await reviveEvents(db, [4, 3, 2, 1])).revived).toEqual(new Set([1, 2, 3, 4]));
  expect(await claimIds(db)).toEqual([1, 4]);
  await fill(1);
  expect(await claimIds(db)).toEqual([2]);
  await refuse(2);
  expect(await claimIds(db)).toEqual([3]);
});
