import * as fc from 'fast-check';
import { sql } from 'kysely';
import { createConnection } from 'mysql2/promise';
import { expect, onTestFinished, test } from 'vitest';
import { addToOutbox } from '../../producer/add-to-outbox.ts';
import { createProducer } from '../../producer/producer.ts';
import { loseFirstAnswer } from '../../tests/first-answer.ts';
import { useTestDatabase } from '../../tests/test-database.ts';
import { createEvents } from './create.ts';
import { KIND_PATTERN } from './limits.ts';
import { moveOutbox, showOutbox } from './outbox.ts';
import { findEvent } from './read.ts';

/** What is committed in the outbox becomes an event once, in order, whatever else stands there. */

const database = await useTestDatabase();
const { db } = database;

const put = (...events: string[]) =>
  sql`INSERT INTO Outbox (event) VALUES ${sql.join(events.map((event) => sql`(${event})`))}`.execute(db);

async function eventsOf() {
  const { rows } = await sql<{
    id: number;
    kind: string;
    event_key: string | null;
    payload: string | null;
    delay: number;
  }>`
    SELECT Events.id, Kinds.name AS kind, event_key, payload,
      IF(due_at > '9999-01-01', 'key', ROUND(TIMESTAMPDIFF(SECOND, created_at, due_at))) AS delay
    FROM Events JOIN Kinds ON Kinds.id = kind LEFT JOIN EventPayloads ON EventPayloads.id = Events.id ORDER BY Events.id`.execute(
    db,
  );
  return rows;
}

/** A connection in a transaction of its own, as somebody's program has it. */
async function openTransaction() {
  const connection = await createConnection(database.url);
  onTestFinished(() => connection.destroy());
  await connection.query('START TRANSACTION');
  return connection;
}

test('rows become events in the order of their ids, and are gone', async () => {
  await put('{}', '{"kind":"email","payload":{"to":"ana"},"key":"k"}', '{"kind":"email","key":"k","delayMs":60000}');
  expect(await moveOutbox(db)).toEqual({ moved: 3, putAside: [], isFull: false });
  expect(await eventsOf()).toEqual([
    { id: 1, kind: 'word', event_key: null, payload: null, delay: '0' },
    { id: 2, kind: 'email', event_key: 'k', payload: '{"to":"ana"}', delay: '0' },
    { id: 3, kind: 'email', event_key: 'k', payload: null, delay: 'key' },
  ]);
  expect(await showOutbox(db, { limit: 10 })).toEqual({ waiting: 0, aside: 0, problems: [] });
  expect(await moveOutbox(db)).toMatchObject({ moved: 0 });
});

test('a payload is kept digit for digit', async () => {
  await put('{"kind":"email","payload": {"b":12345678901234567890, "a":1.10}}');
  await moveOutbox(db);
  expect((await eventsOf())[0]!.payload).toBe('{"b":12345678901234567890, "a":1.10}');
});

test('the same events make the same rows by a list, by code and by the outbox', async () => {
  const event = fc.record(
    {
      kind: fc.stringMatching(KIND_PATTERN).map((kind) => `k${kind.slice(0, 1)}`),
      payload: fc.jsonValue(),
      key: fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 20 }),
      delayMs: fc.constantFrom(0, 60_000, 3_600_000),
    },
    { requiredKeys: [] },
  );
  const producer = createProducer({ db });
  await fc.assert(
    fc.asyncProperty(fc.array(event, { minLength: 1, maxLength: 10 }), async (events) => {
      const body = JSON.stringify({ events });
      const headers = { 'Content-Type': 'application/json' };
      expect((await producer.app.request('/create-async', { method: 'POST', headers, body })).status).toBe(202);
      const byList = await forget();
      await producer.create(events);
      const byCode = await forget();
      await addToOutbox(db as never, events);
      expect(await moveOutbox(db)).toMatchObject({ moved: events.length });
      const byOutbox = await forget();
      expect(byCode).toEqual(byList);
      expect(byOutbox).toEqual(byList);
    }),
    { numRuns: 30 },
  );
});

/** All events but their ids. They are gone then, so that the next ones wait for none of their keys. */
async function forget() {
  const events = (await eventsOf()).map(({ kind, event_key, payload, delay }) => ({ kind, event_key, payload, delay }));
  for (const table of ['Events', 'EventPayloads', 'EventKeys']) await sql`DELETE FROM ${sql.table(table)}`.execute(db);
  return events;
}

test('a transaction that stays open keeps no later row from being moved, and its own rows come when it commits', async () => {
  const first = await openTransaction();
  await first.query(`INSERT INTO Outbox (event) VALUES ('{"kind":"first"}')`);
  await put('{"kind":"second"}');
  expect(await moveOutbox(db)).toMatchObject({ moved: 1 });
  await first.query('COMMIT');
  expect(await moveOutbox(db)).toMatchObject({ moved: 1 });
  expect((await eventsOf()).map(({ kind }) => kind)).toEqual(['second', 'first']);
});

test('what is rolled back never becomes an event', async () => {
  const transaction = await openTransaction();
  await transaction.query(`INSERT INTO Outbox (event) VALUES ('{}')`);
  await transaction.query('ROLLBACK');
  expect(await moveOutbox(db)).toMatchObject({ moved: 0 });
});

test('a row that somebody has locked is left, and the others are moved', async () => {
  await put('{"kind":"a"}', '{"kind":"b"}', '{"kind":"c"}');
  const stranger = await openTransaction();
  await stranger.query('SELECT id FROM Outbox WHERE id = (SELECT MIN(id) + 1 FROM Outbox) FOR UPDATE');
  expect(await moveOutbox(db)).toMatchObject({ moved: 2, putAside: [] });
  expect((await eventsOf()).map(({ kind }) => kind)).toEqual(['a', 'c']);
  await stranger.query('ROLLBACK');
  expect(await moveOutbox(db)).toMatchObject({ moved: 1 });
});

test('rows of which no event can be made are put aside with the reason, counted and shown, and the others are moved', async () => {
  const bad: [string, RegExp][] = [
    ['', /JSON/],
    ['{', /JSON/],
    ['[]', /must be a JSON object/],
    ['{"kind":"Email"}', /kind must be 1 to 64 characters/],
    ['{"kind":"email","to":"ana"}', /unknown member "to"/],
    ['{"key":""}', /key must be 1 to 255 characters/],
    ['{"delayMs":1.5}', /delayMs must be a whole number/],
    [`{"payload":"${'x'.repeat(1_048_576)}"}`, /payload has 1048578 bytes/],
    [`{"payload":"${'x'.repeat(2_000_000)}"}`, /It has 20000\d\d bytes/],
  ];
  await put('{"kind":"before"}', ...bad.map(([event]) => event), '{"kind":"after"}');
  const { moved, putAside } = await moveOutbox(db);
  expect(moved).toBe(2);
  expect(putAside.map(({ problem }) => problem)).toEqual(bad.map(([, problem]) => expect.stringMatching(problem)));
  expect((await eventsOf()).map(({ kind }) => kind)).toEqual(['before', 'after']);
  const shown = await showOutbox(db, { limit: 3 });
  expect(shown).toMatchObject({ waiting: 0, aside: bad.length });
  expect(shown.problems).toHaveLength(3);
  expect(await moveOutbox(db)).toEqual({ moved: 0, putAside: [], isFull: false });
  // Corrected, it is moved.
  await sql`UPDATE Outbox SET event = '{"kind":"corrected"}', problem = NULL WHERE event = '{"kind":"Email"}'`.execute(
    db,
  );
  expect(await moveOutbox(db)).toMatchObject({ moved: 1 });
});

test('one kind too many is put aside, and keeps no other row from being moved', async () => {
  const kinds = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => ({ kind: `k${from + n}` }));
  await createEvents(db, kinds(0, 998));
  await put('{"kind":"k1"}', '{"kind":"last"}', '{"kind":"too-many"}', '{"kind":"k2"}');
  const { moved, putAside } = await moveOutbox(db);
  expect(moved).toBe(3);
  expect(putAside).toMatchObject([{ problem: expect.stringContaining('1,000 kinds'), event: '{"kind":"too-many"}' }]);
});

test('moved again because the answer was lost, nothing is created twice', async () => {
  await put('{}', '{}');
  const lossy = loseFirstAnswer(database.connect(), 'CALL move_outbox');
  await moveOutbox(lossy);
  expect((await eventsOf()).map(({ id }) => id)).toEqual([1, 2]);
  expect(await findEvent(db, 3)).toBeUndefined();
});

test('many move at once: each row is moved once, and their order is kept', async () => {
  const rows = Array.from({ length: 2_500 }, (_, n) => `{"kind":"n","payload":${n}}`);
  const pools = Array.from({ length: 4 }, () => database.connect({ poolSize: 2 }));
  let isWritten = false;
  const movers = pools.map(async (pool) => {
    while (!isWritten || (await moveOutbox(pool)).isFull) await moveOutbox(pool);
  });
  for (let from = 0; from < rows.length; from += 50) await put(...rows.slice(from, from + 50));
  isWritten = true;
  await Promise.all(movers);
  await moveOutbox(db);
  expect((await eventsOf()).map(({ payload }) => Number(payload))).toEqual(rows.map((_, n) => n));
});
