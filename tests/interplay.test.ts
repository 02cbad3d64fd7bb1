import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Connection, RowDataPacket } from 'mysql2/promise';
import { expect, test } from 'vitest';
import type { Report } from '../consumer/report/report.ts';
import { runConsumer } from '../consumer/run-consumer.ts';
import type { Database } from '../database/connect.ts';
import { createEvents } from '../database/events/create.ts';
import { countEvents } from '../database/events/read.ts';
import { toHandlers } from '../handlers/handlers.ts';
import { createBatcher } from '../producer/create-batcher.ts';
import { connectForeignClient } from './foreign-client.ts';
import { createTestDatabase } from './test-database.ts';
import { batchHandler, type HandleBatch } from './test-worker.ts';

/**
 * Clients of the course system this grew from, beside ours on the same tables at the same time. They know the columns
 * DBStatus.id, Events.id, valor and processing, and nothing else.
 */

/** Creates by reading and raising DBStatus.id and inserting Events(id), in a transaction. */
async function foreignCreate(client: Connection): Promise<number> {
  await client.query('SET autocommit = 0');
  const [rows] = await client.query<(RowDataPacket & { id: number })[]>('SELECT id FROM DBStatus FOR UPDATE');
  const id = rows[0]!.id + 1;
  await client.query('UPDATE DBStatus SET id = ?', [id]);
  await client.query('INSERT INTO Events (id) VALUES (?)', [id]);
  await client.query('COMMIT');
  return id;
}

/** Consumes what is empty and not in processing: marks it, makes a word, and writes it. Resolves to how many. */
async function foreignConsume(client: Connection): Promise<number> {
  await client.query('SET autocommit = 0');
  const [rows] = await client.query<(RowDataPacket & { id: number })[]>(`
    SELECT id FROM Events WHERE (valor IS NULL OR valor = '') AND processing = 0 LIMIT 3
    FOR UPDATE SKIP LOCKED`);
  for (const { id } of rows) await client.query('UPDATE Events SET processing = 1 WHERE id = ?', [id]);
  await client.query('COMMIT');
  for (const { id } of rows) {
    await client.query('UPDATE Events SET valor = ?, processing = 0 WHERE id = ?', [`estrangeira-${id}`, id]);
    await client.query('COMMIT');
  }
  return rows.length;
}

const silent = new Proxy({} as Report, { get: () => () => {} });

function ourConsumer(db: Database, signal: AbortSignal): Promise<void> {
  const handleBatch: HandleBatch = async (events) => events.map(() => ({ valor: 'nossa' }));
  const handlers = toHandlers([batchHandler(handleBatch, { batch: 5 })]);
  return runConsumer({ db, handlers, signal, report: silent, pollMs: 5 });
}

test('foreign producers and consumers work beside ours: every event is created once and filled once', async () => {
  await using database = await createTestDatabase();
  const { db } = database;
  const create = createBatcher({ db, maxRequests: 100, maxQueued: 10_000 });
  const stop = new AbortController();
  const consumer = ourConsumer(db, stop.signal);
  const foreignProducer = await connectForeignClient(database.url);
  const foreignConsumer = await connectForeignClient(database.url);

  const ids: number[] = [];
  let foreignFills = 0;
  const producing = Promise.all([
    (async () => {
      for (let n = 0; n < 150; n++) ids.push(await foreignCreate(foreignProducer));
    })(),
    ...Array.from({ length: 10 }, async () => {
      for (let n = 0; n < 30; n++) ids.push(await create([{}]));
    }),
  ]);
  const consuming = (async () => {
    // To the end, and until it has had its share, whoever is quicker.
    while (!stop.signal.aborted) {
      foreignFills += await foreignConsume(foreignConsumer);
      await sleep(1);
    }
  })();
  await producing;
  const unfilled = async () => {
    const { rows } = await sql<{ n: number }>`
      SELECT COUNT(*) AS n FROM Events WHERE valor IS NULL OR processing = 1`.execute(db);
    return rows[0]!.n;
  };
  await expect.poll(unfilled, { timeout: 20_000 }).toBe(0);
  stop.abort();
  await Promise.all([consumer, consuming]);

  expect(new Set(ids).size).toBe(450);
  expect(await countEvents(db)).toBe(450);
  const { rows } = await sql<{ valor: string; n: number }>`
    SELECT IF(valor = 'nossa', 'nossa', 'estrangeira') AS valor, COUNT(*) AS n FROM Events GROUP BY 1`.execute(db);
  const by = Object.fromEntries(rows.map(({ valor, n }) => [valor, n]));
  expect(by['estrangeira']).toBe(foreignFills);
  expect(by['nossa']! + foreignFills).toBe(450);
  expect(Math.min(by['nossa']!, foreignFills)).toBeGreaterThan(0);
});

test('a foreign consumer that dies with an event in its hands loses it to ours when its minute is over', async () => {
  await using database = await createTestDatabase();
  const { db, letTimePass } = database;
  await createEvents(db, [{}]);
  await sql`UPDATE Events SET processing = 1 WHERE id = 1`.execute(db);
  const stop = new AbortController();
  const consumer = ourConsumer(db, stop.signal);
  const [held] = await db.selectFrom('Events').select('valor').execute();
  expect(held).toEqual({ valor: null });
  await letTimePass();
  const valor = async () => (await db.selectFrom('Events').select('valor').execute())[0]?.valor;
  await expect.poll(valor, { timeout: 5_000 }).toBe('nossa');
  // It was only slow: its word comes too late and changes nothing.
  await sql`UPDATE Events SET valor = 'tarde', processing = 0 WHERE id = 1`.execute(db);
  expect(await valor()).toBe('nossa');
  stop.abort();
  await consumer;
});

test('a foreign producer without transactions may fail, and never makes ours give an id twice or stop', async () => {
  await using database = await createTestDatabase();
  const { db } = database;
  const create = createBatcher({ db, maxRequests: 100, maxQueued: 10_000 });
  const done = new AbortController();
  const careless = (async () => {
    while (!done.signal.aborted) {
      const { rows } = await sql<{ id: number }>`SELECT id FROM DBStatus`.execute(db);
      const id = rows[0]!.id + 1;
      await sql`UPDATE DBStatus SET id = ${id}`.execute(db); // raises it, or sets it back
      await sql`INSERT INTO Events (id) VALUES (${id})`.execute(db).catch(() => {}); // often taken by then
    }
  })();
  const ids: number[] = [];
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (let n = 0; n < 20; n++) ids.push(await create([{}]));
    }),
  );
  done.abort();
  await careless;
  expect(new Set(ids).size).toBe(160);
  const { rows } = await sql<{ n: number }>`SELECT COUNT(*) AS n FROM Events WHERE id IN (${sql.join(ids)})`.execute(
    db,
  );
  expect(rows[0]!.n).toBe(160);
});
