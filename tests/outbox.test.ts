import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { createConnection } from 'mysql2/promise';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { showOutbox } from '../database/events/outbox.ts';
import { countEvents } from '../database/events/read.ts';
import { spawnChild } from '../start/child-process.ts';
import { useTestDatabase } from './test-database.ts';

/** The outbox on real consumers, which are killed all the time. */

const database = await useTestDatabase();
const { db } = database;

beforeEach(async () => {
  await sql`DROP TABLE IF EXISTS steps, orders`.execute(db);
  await sql`CREATE TABLE steps (step VARCHAR(10), order_id INT, event_id BIGINT) ENGINE = InnoDB`.execute(db);
  await sql`CREATE TABLE orders (id INT AUTO_INCREMENT PRIMARY KEY) ENGINE = InnoDB`.execute(db);
});

/** Two consumers, of which one is killed and started again every 700 ms until it is told to stop. */
function startKilledConsumers() {
  const isOver = new AbortController();
  const start = (name: string): ChildProcess =>
    spawnChild(process.execPath, ['consumer/main.ts', '--handlers', 'tests/outbox-handlers.ts'], {
      env: { ...process.env, DATABASE_URL: database.url, CONSUMER_NAME: name, LEASE_MS: '1000', LOG_LEVEL: 'warn' },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
  const consumers = [start('a'), start('b')];
  const end = async (consumer: ChildProcess, signal: NodeJS.Signals) => {
    consumer.kill(signal);
    if (consumer.exitCode === null && consumer.signalCode === null) await once(consumer, 'exit');
  };
  let kills = 0;
  const killing = (async () => {
    for (let n = 0; !isOver.signal.aborted; n++) {
      await sleep(700, undefined, { signal: isOver.signal }).catch(() => {});
      if (isOver.signal.aborted) break;
      await end(consumers[n % 2]!, 'SIGKILL');
      kills++;
      consumers[n % 2] = start(n % 2 === 0 ? 'a' : 'b');
    }
  })();
  onTestFinished(async () => {
    isOver.abort();
    await killing;
    await Promise.all(consumers.map((consumer) => end(consumer, 'SIGKILL')));
  });
  return {
    stopKilling: async () => {
      isOver.abort();
      await killing;
      return kills;
    },
  };
}

const unfilled = async () => (await sql`SELECT id FROM Events WHERE open = 1`.execute(db)).rows.length;
const waiting = async () => (await showOutbox(db, { limit: 1 })).waiting;

test('10,000 transactions, some rolled back and some killed: as many events as were committed, one of each', async () => {
  const consumers = startKilledConsumers();
  let left = 10_000;
  const committed: number[] = [];
  const unknown: number[] = [];
  const lane = async () => {
    let connection = await createConnection(database.url);
    while (left-- > 0) {
      const fate = Math.random();
      let id = 0;
      try {
        await connection.query('START TRANSACTION');
        const [{ insertId }] = (await connection.query('INSERT INTO orders VALUES ()')) as unknown as [
          { insertId: number },
        ];
        id = insertId;
        await connection.query('INSERT INTO Outbox (event) VALUES (?)', [
          JSON.stringify({ kind: 'plain', payload: { order: id } }),
        ]);
        if (fate < 0.02) {
          connection.destroy();
          connection = await createConnection(database.url);
        } else if (fate < 0.2) await connection.query('ROLLBACK');
        else if (fate < 0.22) {
          // Nobody hears how it ends.
          void connection.query('COMMIT').catch(() => {});
          await new Promise(setImmediate);
          connection.destroy();
          unknown.push(id);
          connection = await createConnection(database.url);
        } else {
          await connection.query('COMMIT');
          committed.push(id);
        }
      } catch (error) {
        throw new Error(`order ${id}`, { cause: error });
      }
    }
    await connection.end();
  };
  await Promise.all(Array.from({ length: 8 }, lane));
  expect(await consumers.stopKilling()).toBeGreaterThan(2);
  await expect.poll(waiting, { timeout: 30_000 }).toBe(0);
  const { rows } = await sql<{ order: string; events: number }>`
    SELECT payload AS \`order\`, COUNT(*) AS events FROM EventPayloads GROUP BY payload`.execute(db);
  const created = new Map(rows.map(({ order, events }) => [(JSON.parse(order) as { order: number }).order, events]));
  const { rows: orders } = await sql<{ id: number }>`SELECT id FROM orders`.execute(db);
  // Whatever the clients know: each order that is there has its event, and no event is without its order.
  expect(new Set(created.keys())).toEqual(new Set(orders.map(({ id }) => id)));
  expect([...created.values()].filter((events) => events !== 1)).toEqual([]);
  expect(committed.filter((id) => !created.has(id))).toEqual([]);
  expect(created.size).toBeLessThanOrEqual(committed.length + unknown.length);
  expect(await countEvents(db)).toBe(created.size);
  expect(created.size).toBeGreaterThan(6_000);
}, 120_000);

test('a chain of three kinds: one event of each step for each order, with the consumers killed meanwhile', async () => {
  const orders = Array.from({ length: 300 }, (_, n) => n + 1);
  const consumers = startKilledConsumers();
  for (let from = 0; from < orders.length; from += 30) {
    const events = orders.slice(from, from + 30).map((order) => JSON.stringify({ kind: 'order', payload: { order } }));
    await sql`INSERT INTO Outbox (event) VALUES ${sql.join(events.map((event) => sql`(${event})`))}`.execute(db);
    await sleep(300);
  }
  expect(await consumers.stopKilling()).toBeGreaterThan(2);
  const isDone = async () => (await countEvents(db)) === 900 && (await unfilled()) === 0 && (await waiting()) === 0;
  await expect.poll(isDone, { timeout: 60_000 }).toBe(true);
  const { rows } = await sql<{ step: string; orders: number; steps: number; events: number }>`
    SELECT step, COUNT(DISTINCT order_id) AS orders, COUNT(*) AS steps, COUNT(DISTINCT event_id) AS events
    FROM steps GROUP BY step ORDER BY step`.execute(db);
  const each = { orders: 300, steps: 300, events: 300 };
  expect(rows).toEqual(['invoice', 'letter', 'order'].map((step) => ({ step, ...each })));
}, 120_000);
