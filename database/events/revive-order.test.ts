import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { claimIds } from '../../tests/claim-words.ts';
import { useTestDatabase } from '../../tests/test-database.ts';
import { createEvents } from './create.ts';
import { reviveAllDead, reviveEvents } from './operate.ts';
import { fillEvents, giveBackEvents } from './settle.ts';

/** Reviving a dead event of a key must not turn the order of the key round unasked, and never lets two of it run at once. */

const { db, connect } = await useTestDatabase();

const keyed = (count: number, key = 'k') => Array.from({ length: count }, () => ({ key }));
const none = new Set<number>();
const only = (...ids: number[]) => new Set(ids);
const heldBy = async (id: number) => {
  const row = await db.selectFrom('Events').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
  return { id, attempt: row.attempts };
};

/** Claims this event and ends it. */
async function run(id: number, how: 'fill' | 'die'): Promise<void> {
  expect(await claimIds(db, { limit: 1 })).toEqual([id]);
  if (how === 'fill') await fill(id);
  else await die(id);
}
const fill = async (id: number) =>
  fillEvents(db, { claimedBy: 'a', claims: [{ ...(await heldBy(id)), valor: 'sim' }] });
const die = async (id: number) =>
  giveBackEvents(db, { claimedBy: 'a', claims: [{ ...(await heldBy(id)), outcome: 'refused', reason: 'x' }] });

describe('an event of which a later one of its key', () => {
  test.each([
    ['is filled', () => run(2, 'fill')],
    ['is deleted', () => sql`DELETE FROM Events WHERE id = 2`.execute(db)],
  ])('%s is left out unless that is asked for', async (_, settle) => {
    await createEvents(db, keyed(2));
    await run(1, 'die');
    await settle();
    expect(await reviveEvents(db, [1])).toEqual({ revived: none, outOfOrder: only(1) });
    expect(await claimIds(db)).not.toContain(1);
    expect(await reviveEvents(db, [1], { outOfOrder: true })).toEqual({ revived: only(1), outOfOrder: none });
  });

  test('is filled while others still wait is left out as well', async () => {
    await createEvents(db, keyed(3));
    await run(1, 'die');
    await run(2, 'fill');
    expect(await reviveEvents(db, [1])).toEqual({ revived: none, outOfOrder: only(1) });
    expect(await reviveEvents(db, [1], { outOfOrder: true })).toMatchObject({ revived: only(1) });
    expect(await claimIds(db)).toEqual([1]);
  });

  test('is dead as well is revived: that one may still come after it', async () => {
    await createEvents(db, keyed(2));
    await run(1, 'die');
    await run(2, 'die');
    expect(await reviveEvents(db, [1])).toEqual({ revived: only(1), outOfOrder: none });
    expect(await reviveEvents(db, [2])).toEqual({ revived: only(2), outOfOrder: none });
    await run(1, 'fill');
    await run(2, 'fill');
  });
});

test('of all that are dead, those that would run out of order are left out and counted', async () => {
  await createEvents(db, [...keyed(2), { key: 'l' }, {}, ...keyed(1)]);
  for (const id of [1, 3, 4, 2]) await run(id, id === 2 ? 'fill' : 'die');
  await run(5, 'die');
  expect(await reviveAllDead(db)).toEqual({ revived: 3, outOfOrder: 1 });
  expect(await reviveAllDead(db)).toEqual({ revived: 0, outOfOrder: 1 });
  expect(await reviveAllDead(db, { outOfOrder: true })).toEqual({ revived: 1, outOfOrder: 0 });
});

test('a revived event goes before those of its key that wait, and before one that is due and not held', async () => {
  await createEvents(db, keyed(4));
  await run(1, 'die');
  await run(2, 'die');
  await reviveEvents(db, [1, 2]);
  for (const id of [1, 2, 3, 4]) await run(id, 'fill');
});

test('what was due waits for the revived one in its own time', async () => {
  await createEvents(db, keyed(2));
  await run(1, 'die');
  expect(await claimIds(db)).toEqual([2]);
  const failed = { ...(await heldBy(2)), outcome: 'failed' as const, reason: 'x', delayMs: 3_600_000 };
  await giveBackEvents(db, { claimedBy: 'a', claims: [failed] });
  await reviveEvents(db, [1]);
  await run(1, 'fill');
  const { due_at } = await db.selectFrom('Events').select('due_at').where('id', '=', 2).executeTakeFirstOrThrow();
  expect(due_at!.getTime()).toBeGreaterThan(Date.now() + 3_000_000);
  expect(due_at!.getTime()).toBeLessThan(Date.now() + 4_000_000);
});

test('a revived event waits behind one that is held, and behind a smaller one', async () => {
  await createEvents(db, keyed(4));
  await run(1, 'die');
  await run(2, 'die');
  expect(await claimIds(db)).toEqual([3]);
  await reviveEvents(db, [2]);
  await reviveEvents(db, [1]);
  expect(await claimIds(db, { claimedBy: 'b' })).toEqual([]);
  await fill(3);
  for (const id of [1, 2, 4]) {
    expect(await claimIds(db)).toEqual([id]);
    expect(await claimIds(db, { claimedBy: 'b' })).toEqual([]);
    await fill(id);
  }
});

test('two that are revived at the same time, when nothing of their key is open, never run at once', async () => {
  for (let round = 0; round < 20; round++) {
    const first = await createEvents(db, keyed(2, `k${round}`));
    await run(first, 'die');
    await run(first + 1, 'die');
    await Promise.all([
      reviveEvents(db, [first + 1]),
      reviveEvents(connect(), [first]),
      createEvents(db, keyed(1, `k${round}`)),
    ]);
    const claimed = await claimIds(db);
    expect(claimed).toHaveLength(1);
    for (let left = 3, [id] = claimed; left > 0; left--) {
      await fill(id!);
      [id] = await claimIds(db);
    }
  }
});
