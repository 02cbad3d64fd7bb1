import { sql } from 'kysely';
import type { Connection, RowDataPacket } from 'mysql2/promise';
import { describe, expect, test } from 'vitest';
import { claimIds } from '../tests/claim-words.ts';
import { connectForeignClient } from '../tests/foreign-client.ts';
import { killAll } from '../tests/producer-app.ts';
import { useTestDatabase } from '../tests/test-database.ts';
import { createEvents } from './events/create.ts';
import { reviveEvents } from './events/operate.ts';
import { findEvent } from './events/read.ts';

/** A dead event is nobody's: `processing = 2` tells it to clients that know only id, valor and processing. */

const database = await useTestDatabase();
const { db, letTimePass } = database;

const row = (id: number) => db.selectFrom('Events').selectAll().where('id', '=', id).executeTakeFirstOrThrow();

/** Events 1 … `count`, of which the first dies. */
async function killFirst(count: number): Promise<void> {
  await createEvents(db, [{}]);
  await killAll(db);
  if (count === 1) return;
  await createEvents(
    db,
    Array.from({ length: count - 1 }, () => ({})),
  );
}

/** One turn of a consumer of the course system. Resolves to the ids that it filled. */
async function courseConsumerTurn(client: Connection, limit: number): Promise<number[]> {
  await client.query('SET autocommit = 0');
  const [rows] = await client.query<(RowDataPacket & { id: number })[]>(
    `SELECT id FROM Events WHERE (valor IS NULL OR valor = '') AND processing = 0 ORDER BY id LIMIT ? FOR UPDATE`,
    [limit],
  );
  for (const { id } of rows) await client.query('UPDATE Events SET processing = 1 WHERE id = ?', [id]);
  await client.query('COMMIT');
  for (const { id } of rows) {
    await client.query('UPDATE Events SET valor = ?, processing = 0 WHERE id = ?', [`palavra-${id}`, id]);
    await client.query('COMMIT');
  }
  return rows.map(({ id }) => id);
}

test('a consumer of the course system passes over a dead event at the head, and works on', async () => {
  await killFirst(5);
  const client = await connectForeignClient(database.url);
  expect(await courseConsumerTurn(client, 1)).toEqual([2]);
  expect(await courseConsumerTurn(client, 2)).toEqual([3, 4]);
  expect(await courseConsumerTurn(client, 2)).toEqual([5]);
  expect(await courseConsumerTurn(client, 2)).toEqual([]);
  expect(await findEvent(db, 1)).toEqual({ id: 1, kind: 'word', valor: null, status: 'dead' });
});

test('once it is revived, a consumer of the course system takes it', async () => {
  await killFirst(1);
  await reviveEvents(db, [1]);
  expect(await row(1)).toMatchObject({ processing: 0, failures: 0, claimed_by: '' });
  expect(await courseConsumerTurn(await connectForeignClient(database.url), 2)).toEqual([1]);
  expect(await row(1)).toMatchObject({ valor: 'palavra-1', processing: 0 });
});

describe('a dead event', () => {
  test.each([0, 1, 2])('stays dead when a client sets processing = %s', async (processing) => {
    await killFirst(1);
    const before = await row(1);
    expect(before).toMatchObject({ processing: 2, due_at: null, open: null });
    await sql`UPDATE Events SET processing = ${processing}`.execute(db);
    expect(await row(1)).toEqual(before);
    await letTimePass();
    expect(await claimIds(db)).toEqual([]);
  });

  test.each(["valor = 'vivo'", "valor = 'vivo', processing = 0"])('can be filled, by SET %s', async (set) => {
    await killFirst(1);
    await sql`UPDATE Events SET ${sql.raw(set)}`.execute(db);
    expect(await row(1)).toMatchObject({ valor: 'vivo', processing: 0 });
    expect(await findEvent(db, 1)).toMatchObject({ status: 'filled' });
  });

  test('is one that a person makes so, and lives again when it is due', async () => {
    await createEvents(db, [{}]);
    await sql`UPDATE Events SET due_at = NULL`.execute(db);
    expect(await row(1)).toMatchObject({ processing: 2 });
    await sql`UPDATE Events SET due_at = UTC_TIMESTAMP(3)`.execute(db);
    expect(await row(1)).toMatchObject({ processing: 0 });
  });
});

test('nobody makes an event look dead that is not', async () => {
  await createEvents(db, [{}]);
  await sql`UPDATE Events SET processing = 2`.execute(db);
  expect(await row(1)).toMatchObject({ processing: 0 });
});
