import { readFileSync } from 'node:fs';
import { sql } from 'kysely';
import type { Connection, RowDataPacket } from 'mysql2/promise';
import { beforeEach, expect, test } from 'vitest';
import { connectForeignClient } from './foreign-client.ts';
import { codeBlocks } from './markdown.ts';
import { useTestDatabase } from './test-database.ts';

/** The statements of docs/sql-protocol.md, sent as they are by a client that knows nothing else. */

const [isolate, create, take, fill, giveBack] = codeBlocks(readFileSync('docs/sql-protocol.md', 'utf8'))
  .filter(({ language }) => language === 'sql')
  .map(({ code }) => code.split(';').filter((statement) => statement.trim() !== ''));

const { db, url } = await useTestDatabase();
let client: Connection;
let other: Connection;

beforeEach(async () => {
  client = await connectForeignClient(url);
  other = await connectForeignClient(url);
  await run(client, isolate!);
});

/** Resolves to the id that one of the statements answers. */
async function run(one: Connection, statements: string[]): Promise<number | undefined> {
  let id: number | undefined;
  for (const statement of statements) {
    const [rows] = await one.query<RowDataPacket[]>(statement);
    if (!/^\s*SELECT/.test(statement)) continue;
    id = rows[0]?.['id'] as number | undefined;
    await one.query('SET @id = ?', [id ?? null]);
  }
  return id;
}

const eventOf = (id: number) =>
  db.selectFrom('Events').select(['valor', 'processing']).where('id', '=', id).executeTakeFirst();

async function createMany(howMany: number): Promise<void> {
  for (let n = 0; n < howMany; n++) await run(client, create!);
}

/** What a consumer that skips locked rows gets to see. */
async function unlocked(): Promise<number[]> {
  const { rows } = await sql<{ id: number }>`SELECT id FROM Events ORDER BY id FOR UPDATE SKIP LOCKED`.execute(db);
  return rows.map(({ id }) => id);
}

test('the statements for a create answer the next id, and the event exists', async () => {
  expect(await run(client, create!)).toBe(1);
  expect(await run(other, create!)).toBe(2);
  expect(await run(client, create!)).toBe(3);
  expect(await eventOf(3)).toEqual({ valor: null, processing: 0 });
});

test('the statements for a consumer take the first free event and fill it', async () => {
  await createMany(2);
  expect(await run(client, take!)).toBe(1);
  expect(await run(other, take!)).toBe(2);
  await client.query("SET @value = 'estrangeira'");
  await run(client, fill!);
  expect(await eventOf(1)).toEqual({ valor: 'estrangeira', processing: 0 });
  expect(await eventOf(2)).toEqual({ valor: null, processing: 1 });
});

test('the statement that gives an event back makes it due at once', async () => {
  await run(client, create!);
  await run(client, take!);
  await run(client, giveBack!);
  expect(await run(client, take!)).toBe(1);
});

test('a search under REPEATABLE READ locks all smaller ids, and under READ COMMITTED only what it found', async () => {
  await createMany(5);
  await sql`UPDATE Events SET processing = 1 WHERE id < 4`.execute(db);
  const search = take!.slice(0, 2);
  expect(await run(client, search)).toBe(4);
  expect(await unlocked()).toEqual([1, 2, 3, 5]);
  await client.query('ROLLBACK');

  await other.query('SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ');
  expect(await run(other, search)).toBe(4);
  expect(await unlocked()).toEqual([5]);
  await other.query('ROLLBACK');
});

test('an event that an open transaction has locked is hidden from consumers until the transaction ends', async () => {
  await createMany(2);
  await run(client, take!.slice(0, 2));
  expect(await unlocked()).toEqual([2]);
  await client.query('ROLLBACK');
  expect(await unlocked()).toEqual([1, 2]);
});

test('a duplicate key locks its row until the client rolls back', async () => {
  await createMany(2);
  await client.query('START TRANSACTION');
  await expect(client.query('INSERT INTO Events (id) VALUES (1)')).rejects.toThrow('Duplicate entry');
  expect(await unlocked()).toEqual([2]);
  await client.query('ROLLBACK');
  expect(await unlocked()).toEqual([1, 2]);
});
