import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { sql } from 'kysely';
import type { Connection, RowDataPacket } from 'mysql2/promise';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { createEvents } from '../database/events/create.ts';
import { findEvent } from '../database/events/read.ts';
import { connectForeignClient } from './foreign-client.ts';
import { codeBlocks } from './markdown.ts';
import { useTestDatabase } from './test-database.ts';

/** The statements of docs/sql-protocol.md, sent as they are by a client that knows nothing else. */

const blocks = codeBlocks(readFileSync('docs/sql-protocol.md', 'utf8'));
const [isolate, create, take, fill, giveBack, ...anyKind] = blocks
  .filter(({ language }) => language === 'sql')
  .map(({ code }) => code.split(';').filter((statement) => statement.trim() !== ''));
const [callCreate, addKind, createByHand, claim, renew, callFill, callGiveBack] = anyKind;
const python = blocks.find(({ language }) => language === 'python');

const { db, url } = await useTestDatabase();
const urlOf = (account: 'producer' | 'consumer') => url.replace('//user:', `//${account}:`);
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

describe('events of any kind', () => {
  const payloadOf = (id: number) =>
    db.selectFrom('EventPayloads').select('payload').where('id', '=', id).executeTakeFirst();

  /** Resolves to the result sets of a routine. */
  async function call(one: Connection, [statement]: string[]): Promise<RowDataPacket[][]> {
    const [results] = await one.query<RowDataPacket[][]>(statement!);
    return results.filter(Array.isArray);
  }

  test('are created by the account of a producer with one call', async () => {
    const producer = await connectForeignClient(urlOf('producer'));
    expect(await call(producer, callCreate!)).toEqual([[{ first_id: 1 }]]);
    expect(await payloadOf(1)).toEqual({ payload: '{"to":"ana@example.org"}' });
    expect(await findEvent(db, 2)).toMatchObject({ kind: 'email', status: 'pending' });
  });

  test('are claimed, renewed, filled and given back by the account of a consumer', async () => {
    await call(client, callCreate!);
    await sql`UPDATE Events SET due_at = UTC_TIMESTAMP(3)`.execute(db);
    const consumer = await connectForeignClient(urlOf('consumer'));
    const [[head] = [], details] = await call(consumer, claim!);
    expect(JSON.parse(head!['claimed'] as string)).toEqual([
      [1, 1, 0, 0, expect.any(Number)],
      [2, 1, 0, 0, expect.any(Number)],
    ]);
    expect(details).toEqual([
      { id: 1, event_key: null, payload: '{"to":"ana@example.org"}', trace: null },
      { id: 2, event_key: 'client-5', payload: null, trace: null },
    ]);
    expect(await call(consumer, renew!)).toEqual([[{ written: 1 }]]);
    expect(await call(consumer, callFill!)).toEqual([[{ written: 1 }]]);
    expect(await findEvent(db, 1)).toMatchObject({ valor: '{"sentTo":"ana@example.org"}', status: 'filled' });
    expect(await call(consumer, callGiveBack!)).toEqual([[{ written: 1 }]]);
    const row = await db.selectFrom('Events').selectAll().where('id', '=', 2).executeTakeFirstOrThrow();
    expect(row).toMatchObject({ failures: 1, last_error: 'the mail server answered 500' });
  });

  test('are created by hand, and claimed with their payload', async () => {
    await run(client, addKind!);
    await client.query('SET @payload = ?', ['{"to":"Zoë"}']);
    expect(await run(client, createByHand!)).toBe(1);
    const [[head] = [], details] = await call(client, claim!);
    expect(head!['claimed']).toMatch(/^\[\[1, ?1/);
    expect(details).toMatchObject([{ id: 1, payload: '{"to":"Zoë"}' }]);
  });

  test('are consumed by the program in Python', async ({ skip }) => {
    const run = promisify(execFile);
    await run('python3', ['-c', 'import pymysql']).catch(() => skip('there is no python3 with PyMySQL'));
    mkdirSync('.data', { recursive: true });
    const folder = mkdtempSync('.data/python-');
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const program = join(folder, 'consumer.py');
    writeFileSync(program, python!.code);
    const event = (payload: string, key?: string) => ({ kind: 'email', payload, ...(key !== undefined && { key }) });
    await createEvents(db, [event('{"to":"ana"}', 'k'), event('{}'), event('{"to":"Zoë"}', 'k')]);
    await run('python3', [program, '--once'], { env: { ...process.env, DATABASE_URL: urlOf('consumer') } });
    const events = await Promise.all([1, 2, 3].map((id) => findEvent(db, id)));
    expect(events.map((found) => JSON.parse(found!.valor ?? 'null') as unknown)).toEqual([
      { sentTo: 'ana' },
      null,
      { sentTo: 'Zoë' },
    ]);
    const failed = await db.selectFrom('Events').selectAll().where('id', '=', 2).executeTakeFirstOrThrow();
    expect(failed).toMatchObject({ failures: 1, last_error: "'to'", processing: 2 });
  });
});
