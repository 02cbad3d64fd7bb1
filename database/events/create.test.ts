import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { claimIds, claimWords } from '../../tests/claim-words.ts';
import { useTestDatabase } from '../../tests/test-database.ts';
import { createEvents, createEventsOnce } from './create.ts';
import { addKinds } from './kinds.ts';
import { countEvents, findEvent } from './read.ts';

const { db, letTimePass } = await useTestDatabase();

const allIds = async () => (await db.selectFrom('Events').select('id').orderBy('id').execute()).map(({ id }) => id);

test('ids are 1, 2, 3 … without gaps, and the count is the newest id', async () => {
  expect(await createEvents(db, [{}, {}, {}])).toBe(1);
  expect(await createEvents(db, [{}])).toBe(4);
  expect(await createEvents(db, [{ kind: 'email', payload: '1', key: 'k' }, {}])).toBe(5);
  expect(await countEvents(db)).toBe(6);
  expect(await allIds()).toEqual([1, 2, 3, 4, 5, 6]);
  expect(await findEvent(db, 4)).toEqual({ id: 4, kind: 'word', valor: null, status: 'pending' });
  expect(await findEvent(db, 5)).toEqual({ id: 5, kind: 'email', valor: null, status: 'pending' });
});

test.each([
  ['words', {}],
  ['events with all that can be said of them', { kind: 'email', payload: '{"a":1}', key: 'k', delayMs: 1, trace: 't' }],
])('10,000 %s are created in one call', async (_, event) => {
  expect(
    await createEvents(
      db,
      Array.from({ length: 10_000 }, () => event),
    ),
  ).toBe(1);
  expect(await countEvents(db)).toBe(10_000);
  expect(await allIds()).toHaveLength(10_000);
});

test('an event that was never created is not found', async () => {
  expect(await findEvent(db, 1)).toBeUndefined();
  expect(await findEvent(db, Number.MAX_SAFE_INTEGER)).toBeUndefined();
});

test('a counter that stays behind the newest event is mended, and no id is given twice', async () => {
  await createEvents(db, [{}, {}, {}]);
  await sql`UPDATE DBStatus SET id = 1`.execute(db);
  expect(await createEvents(db, [{}])).toBe(4);
  expect(await countEvents(db)).toBe(4);
});

test('a counter that is ahead of the newest event is not set back', async () => {
  await createEvents(db, [{}, {}]);
  await sql`DELETE FROM Events WHERE id = 2`.execute(db);
  await sql`CALL raise_counter()`.execute(db);
  expect(await countEvents(db)).toBe(2);
});

test('an id that JSON could not carry exactly is refused by the table', async () => {
  await expect(sql`INSERT INTO Events (id) VALUES (9007199254740992)`.execute(db)).rejects.toThrow(/exact_id/);
});

test('a create that fails leaves nothing of any table behind', async () => {
  await sql`UPDATE DBStatus SET id = 9007199254740990`.execute(db);
  const event = { kind: 'email', payload: '1', key: 'k' };
  await expect(createEvents(db, [event, event])).rejects.toMatchObject({ fault: 'permanent' });
  for (const table of ['Events', 'EventPayloads', 'EventKeys'] as const)
    expect(await db.selectFrom(table).selectAll().execute()).toEqual([]);
  expect(await countEvents(db)).toBe(9007199254740990);
});

test('of free events only words have processing = 0, delayed or not', async () => {
  await createEvents(db, [{}, { delayMs: 60_000 }, { kind: 'email' }, { kind: 'email', delayMs: 60_000 }]);
  const rows = await db.selectFrom('Events').select('processing').orderBy('id').execute();
  expect(rows.map(({ processing }) => processing)).toEqual([0, 0, 2, 2]);
});

test('an event is not due before its delay is over, by the database’s clock', async () => {
  const year = 31_536_000_000;
  await createEvents(db, [{ delayMs: 60_000 }, { delayMs: 0 }, { delayMs: year }, { delayMs: 1 }]);
  const { rows } = await sql<{ ms: number }>`
    SELECT TIMESTAMPDIFF(MICROSECOND, created_at, due_at) DIV 1000 AS ms FROM Events ORDER BY id`.execute(db);
  expect(rows.map(({ ms }) => ms)).toEqual([60_000, 0, year, 1]);
  await expect.poll(() => claimIds(db, { limit: 1 })).toEqual([2]);
  await expect.poll(() => claimIds(db)).toEqual([4]);
  await letTimePass();
  expect(await claimIds(db, { claimedBy: 'b' })).toEqual(expect.arrayContaining([1, 3]));
});

test.each([
  ['kind', 'k'.repeat(65)],
  ['kind', 'k'.repeat(1_000)],
  ['key', 'ã'.repeat(256)],
  ['key', 'k'.repeat(1_000)],
  ['trace', '0'.repeat(1_025)],
  ['trace', '0'.repeat(5_000)],
])('a %s that is too long is refused, and neither cut nor left out: %#', async (member, text) => {
  const events = [{}, { kind: 'email', [member]: text }];
  await expect(createEvents(db, events)).rejects.toThrow();
  await expect(createEventsOnce(db, [{ key: 'x', events }])).rejects.toThrow();
  if (member === 'kind') await expect(addKinds(db, [text])).rejects.toThrow();
  expect(await countEvents(db)).toBe(0);
  expect(await db.selectFrom('Kinds').select('name').execute()).toEqual([{ name: 'word' }]);
});

test('a kind, a key and a trace as long as they may be are kept whole', async () => {
  const event = { kind: 'k'.repeat(64), key: 'ã'.repeat(255), trace: '0'.repeat(1_024) };
  await createEvents(db, [event]);
  const { claims } = await claimWords(db, { kind: event.kind });
  expect(claims).toMatchObject([{ key: event.key, trace: event.trace }]);
});
