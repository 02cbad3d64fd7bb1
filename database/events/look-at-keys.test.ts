import { sql } from 'kysely';
import { beforeEach, describe, expect, test } from 'vitest';
import { claimIds } from '../../tests/claim-words.ts';
import { connectForeignClient } from '../../tests/foreign-client.ts';
import { createTestDatabase, useTestDatabase } from '../../tests/test-database.ts';
import { createEvents } from './create.ts';
import { lookAtKeys } from './keys.ts';
import { reviveEvents } from './operate.ts';
import { fillEvents, giveBackEvents } from './settle.ts';

/** What a client that knows no keys settles leaves its key behind, until one of our consumers looks. */

const database = await useTestDatabase();
const { db, letTimePass } = database;

const timePasses = () => sql`UPDATE Installation SET keys_looked_at = '2000-01-01'`.execute(db);
beforeEach(timePasses);

const keyed = (count: number, key = 'k') => Array.from({ length: count }, () => ({ key }));
const keys = async () => (await db.selectFrom('EventKeys').select('id').orderBy('id').execute()).map(({ id }) => id);

async function look(): Promise<void> {
  await timePasses();
  await lookAtKeys(db);
}

describe('the next of a key is due after the first', () => {
  test.each([
    ['is filled', `UPDATE Events SET valor = 'rio' WHERE id = 1`],
    ['is deleted', 'DELETE FROM Events WHERE id = 1'],
    [
      'is deleted with its payload',
      'DELETE Events, EventPayloads FROM Events JOIN EventPayloads USING (id) WHERE id = 1',
    ],
    ['is killed', 'UPDATE Events SET due_at = NULL WHERE id = 1'],
  ])('%s by a client that knows no keys', async (_, statement) => {
    await createEvents(db, [...keyed(3), { key: 'l' }]);
    await sql.raw(statement).execute(db);
    await look();
    expect(await claimIds(db)).toEqual([2, 4]);
    expect(await keys()).toEqual([2, 3, 4]);
  });

  test('and several behind it are settled by such a client', async () => {
    await createEvents(db, keyed(5));
    await sql`UPDATE Events SET valor = 'rio' WHERE id IN (1, 3)`.execute(db);
    await sql`DELETE FROM Events WHERE id = 2`.execute(db);
    await look();
    expect(await claimIds(db)).toEqual([4]);
    expect(await keys()).toEqual([4, 5]);
  });
});

test('a key of which all events are settled is forgotten, so that the next one that is created is due', async () => {
  await createEvents(db, keyed(2));
  await sql`UPDATE Events SET valor = 'rio'`.execute(db);
  await look();
  expect(await keys()).toEqual([]);
  await createEvents(db, keyed(1));
  expect(await claimIds(db)).toEqual([3]);
});

test('a first event that still waits for its key is made due, in its own time', async () => {
  await createEvents(db, [{ key: 'k' }, { key: 'l', delayMs: 60_000 }]);
  await sql`UPDATE Events SET due_at = '9999-12-31', processing = 2`.execute(db);
  await look();
  expect(await claimIds(db)).toEqual([1]);
  await letTimePass();
  await sql`UPDATE Kinds SET looked_at = '2000-01-01'`.execute(db);
  expect(await claimIds(db, { claimedBy: 'b' })).toContain(2);
});

test('nothing changes where the first of a key is due, held, delayed or in back-off', async () => {
  await createEvents(db, [...keyed(2, 'held'), ...keyed(2, 'failed')]);
  await claimIds(db);
  const failed = { id: 3, attempt: 1, outcome: 'failed' as const, reason: 'x', delayMs: 60_000 };
  await giveBackEvents(db, { claimedBy: 'a', claims: [failed] });
  await createEvents(db, [...keyed(2, 'due'), { key: 'delayed', delayMs: 60_000 }, { key: 'delayed' }]);
  const before = await db.selectFrom('Events').selectAll().execute();
  await look();
  expect(await db.selectFrom('Events').selectAll().execute()).toEqual(before);
  expect(await keys()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
});

test('a revived event that waits behind one that is held still waits', async () => {
  await createEvents(db, keyed(3));
  await claimIds(db);
  await giveBackEvents(db, { claimedBy: 'a', claims: [{ id: 1, attempt: 1, outcome: 'refused', reason: 'x' }] });
  expect(await claimIds(db)).toEqual([2]);
  await reviveEvents(db, [1]);
  await look();
  expect(await claimIds(db, { claimedBy: 'b' })).toEqual([]);
  await fillEvents(db, { claimedBy: 'a', claims: [{ id: 2, attempt: 1, valor: 'sim' }] });
  expect(await claimIds(db)).toEqual([1]);
});

test('an event of which somebody has the key locked is looked at the next time, and holds up no other key', async () => {
  await createEvents(db, [...keyed(2), ...keyed(2, 'l')]);
  await sql`UPDATE Events SET valor = 'rio' WHERE id IN (1, 3)`.execute(db);
  const stranger = await connectForeignClient(database.url);
  await stranger.beginTransaction();
  await stranger.query(`SELECT id FROM EventKeys WHERE event_key = 'k' AND id = 1 FOR UPDATE`);
  await look();
  expect(await claimIds(db)).toEqual([4]);
  await stranger.rollback();
  await look();
  expect(await claimIds(db)).toEqual([2]);
});

test('of consumers that look at the same time one does, and all hear when the next look is due', async () => {
  const started = Date.now();
  await Promise.all(Array.from({ length: 8 }, () => lookAtKeys(db)));
  await createEvents(db, keyed(2));
  await sql`UPDATE Events SET valor = 'rio' WHERE id = 1`.execute(db);
  const nextMs = await lookAtKeys(db);
  expect(nextMs).toBeLessThanOrEqual(9_000);
  expect(nextMs).toBeGreaterThan(8_900 - (Date.now() - started));
  expect(await claimIds(db)).toEqual([]);
});

test('a look goes from key to key, however many events wait in one', async () => {
  await using own = await createTestDatabase({ poolSize: 1 });
  for (let n = 0; n < 2; n++) await createEvents(own.db, keyed(10_000));
  await createEvents(own.db, keyed(2, 'l'));
  await sql`ANALYZE TABLE EventKeys`.execute(own.db);
  await sql`UPDATE Events SET valor = 'rio' WHERE id = 20001`.execute(own.db);
  const reads = async () => {
    const { rows } = await sql<{ Value: string }>`SHOW SESSION STATUS LIKE 'Handler_read_%'`.execute(own.db);
    return rows.reduce((sum, { Value }) => sum + Number(Value), 0);
  };
  const before = await reads();
  await lookAtKeys(own.db);
  expect((await reads()) - before).toBeLessThan(500);
  expect(await own.db.selectFrom('EventKeys').select('id').where('event_key', '=', 'l').execute()).toEqual([
    { id: 20_002 },
  ]);
});
