import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { claimIds, claimWords } from '../tests/claim-words.ts';
import { killAll } from '../tests/producer-app.ts';
import { useTestDatabase } from '../tests/test-database.ts';
import { createEvents } from './events/create.ts';
import { findEvent } from './events/read.ts';
import { fillEvents } from './events/settle.ts';

/** The rules that bind clients in every language, also those that know only id, valor and processing. */

const { db } = await useTestDatabase();

const row = (id: number) => db.selectFrom('Events').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
const set = (id: number, assignments: string) =>
  sql`UPDATE Events SET ${sql.raw(assignments)} WHERE id = ${id}`.execute(db);

/** What such a client sees as its to take. */
async function freeWords(): Promise<number[]> {
  const { rows } = await sql<{ id: number }>`
    SELECT id FROM Events WHERE (valor IS NULL OR valor = '') AND processing = 0 ORDER BY id`.execute(db);
  return rows.map(({ id }) => id);
}

/** Seconds, by the database's clock, until the lease of the event ends. */
async function leaseLeft(id: number): Promise<number> {
  const { rows } = await sql<{ s: string }>`
    SELECT TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(3), lease_until) / 1000000 AS s FROM Events WHERE id = ${id}
  `.execute(db);
  return Number(rows[0]!.s);
}

test('a filled word never changes, whoever tries', async () => {
  await createEvents(db, [{}]);
  await set(1, "valor = 'mar', processing = 0");
  await set(1, "valor = 'terra', processing = 1");
  await set(1, 'valor = NULL');
  await set(1, 'due_at = NULL');
  expect(await row(1)).toMatchObject({ valor: 'mar', processing: 0 });
  expect((await row(1)).filled_at).toBeInstanceOf(Date);
  expect((await row(1)).padding).toBe('');
  expect(await findEvent(db, 1)).toMatchObject({ status: 'filled' });
});

test('a claim without a lease gets one of 60 s, and ends every older claim', async () => {
  await createEvents(db, [{}]);
  const { claims } = await claimWords(db);
  await set(1, 'processing = 0');
  await set(1, 'processing = 1');
  expect(Math.round(await leaseLeft(1))).toBe(60);
  expect(await row(1)).toMatchObject({ claimed_by: '', attempts: 2, failures: 0 });
  expect(await findEvent(db, 1)).toMatchObject({ status: 'processing' });
  const late = claims.map((claim) => ({ ...claim, valor: 'tarde' }));
  expect(await fillEvents(db, { claimedBy: 'a', claims: late })).toEqual({ written: [], locked: [], lost: late });
});

test('processing = 1 on what is held already changes nothing', async () => {
  await createEvents(db, [{}]);
  await claimWords(db);
  const before = await row(1);
  await set(1, 'processing = 1');
  expect(await row(1)).toEqual(before);
});

test('what such a client gives back is due at once, and nothing is counted', async () => {
  await createEvents(db, [{}]);
  await set(1, 'processing = 1');
  expect(await row(1)).toMatchObject({ attempts: 1, claimed_by: '' });
  expect(await claimIds(db)).toEqual([]);
  await set(1, 'processing = 0');
  expect((await claimWords(db)).claims).toMatchObject([{ id: 1, attempt: 2, failures: 0 }]);
});

test('what such a client holds when it dies is claimed when its 60 s are over', async () => {
  await createEvents(db, [{}]);
  await set(1, 'processing = 1');
  await sql`UPDATE Events SET lease_until = UTC_TIMESTAMP(3)`.execute(db);
  expect((await claimWords(db)).claims).toMatchObject([{ id: 1, attempt: 2, failures: 1 }]);
});

test('a word that such a client fills is settled, held or not', async () => {
  await createEvents(db, [{}, {}]);
  await claimWords(db, { limit: 1 });
  for (const id of [1, 2]) {
    await set(id, `valor = 'palavra-${id}', processing = 0`);
    expect(await row(id)).toMatchObject({ valor: `palavra-${id}`, processing: 0, open: null });
    expect((await row(id)).filled_at).toBeInstanceOf(Date);
  }
  expect(await claimIds(db)).toEqual([]);
});

test('an empty word counts as none', async () => {
  await createEvents(db, [{}]);
  await set(1, "valor = ''");
  expect(await findEvent(db, 1)).toMatchObject({ valor: null, status: 'pending' });
  expect(await claimIds(db)).toEqual([1]);
});

test('events that such a client inserts are words, due at once', async () => {
  await sql`INSERT INTO Events (id) VALUES (1)`.execute(db);
  await sql`INSERT INTO Events (id, valor, processing) VALUES (2, '', 0)`.execute(db);
  expect(await freeWords()).toEqual([1, 2]);
  expect(await claimIds(db)).toEqual([1, 2]);
});

test('such a client never sees a word that waits for its key, a dead one, or another kind', async () => {
  await createEvents(db, [{}]);
  await killAll(db);
  await createEvents(db, [{ key: 'k' }, { key: 'k' }, { kind: 'email' }, { kind: 'email', key: 'k' }, {}]);
  expect(await freeWords()).toEqual([2, 6]);
  // Nor when somebody writes processing without looking.
  for (const id of [1, 3, 4, 5]) await set(id, 'processing = 0');
  expect(await freeWords()).toEqual([2, 6]);
  const { claims } = await claimWords(db, { limit: 1 });
  await fillEvents(db, { claimedBy: 'a', claims: claims.map((claim) => ({ ...claim, valor: 'sim' })) });
  expect(await freeWords()).toEqual([3, 6]);
});

test('a word that waits for its key still waits when such a client takes it all the same and gives it back', async () => {
  await createEvents(db, [{ key: 'k' }, { key: 'k' }]);
  await set(2, 'processing = 1');
  await set(2, 'processing = 0');
  expect(await row(2)).toMatchObject({ processing: 2 });
  expect(await claimIds(db)).toEqual([1]);
});

test('nobody makes a word look dead that is not', async () => {
  await createEvents(db, [{}]);
  await set(1, 'processing = 2');
  expect(await freeWords()).toEqual([1]);
});
