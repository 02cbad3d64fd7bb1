import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { showEvent } from '../../database/events/operate.ts';
import { type ExampleSystem, startExample } from '../../tests/example-system.ts';
import type { Message } from './message.ts';

/** The contract on real processes, line by line, and its exact numbers while they are killed. */

const DUE_AFTER_MS = 200;
const RETRY_AFTER_MS = 400;
/** How long each step takes on a busy machine is not what is tested. */
const PATIENT = { timeout: 60_000 };
const CONSUMER = /consumer\/main\.ts/;
const API = /orders\/main\.ts/;
const SERVER = /mysqld|mariadbd/;

interface System extends ExampleSystem {
  urls: [string, string];
}

async function startOrders(): Promise<System> {
  const delays = { DUE_AFTER_MS: String(DUE_AFTER_MS), RETRY_AFTER_MS: String(RETRY_AFTER_MS) };
  const system = await startExample('orders', { ...delays, LEASE_MS: '1500' });
  const [, one, two] = /(http\S+)\/docs and (http\S+)\/docs/.exec(system.lines.join('\n'))!;
  return { ...system, urls: [one!, two!] };
}

async function ask(url: string, method = 'POST', body?: string) {
  const headers = { 'Content-Type': 'application/json' };
  const response = await fetch(url, { method, headers, ...(body === undefined ? {} : { body }) });
  const answer: unknown = await response.json();
  return { status: response.status, body: answer };
}

const insert = (url: string, positive_inserts: number, negative_inserts: number) =>
  ask(`${url}/v0/insert-data`, 'POST', JSON.stringify({ positive_inserts, negative_inserts }));
const run = (url: string) => ask(`${url}/v0/process/run`);

const SOURCE_ORDERS = sql`(
  SELECT 1 AS origin_system, orders.* FROM orders_system_1.orders UNION ALL SELECT 2, orders.* FROM orders_system_2.orders
) AS source_orders`;

async function count({ db }: System, what: ReturnType<typeof sql>): Promise<number> {
  const { rows } = await sql<{ n: number }>`SELECT (${what}) AS n`.execute(db);
  return rows[0]!.n;
}

/** Orders of both systems. */
const inserted = (system: System) => count(system, sql`SELECT COUNT(*) FROM ${SOURCE_ORDERS}`);
/** Events that are created, or will be. */
const queued = (system: System) => count(system, sql`(SELECT COUNT(*) FROM Events) + (SELECT COUNT(*) FROM Outbox)`);
const unfinished = (system: System) =>
  count(system, sql`(SELECT COUNT(*) FROM Events WHERE open = 1) + (SELECT COUNT(*) FROM Outbox)`);

// One test, since a start takes seconds.
test('the contract holds, and its numbers are exact, whoever is killed', { timeout: 240_000 }, async () => {
  const system = await startOrders();
  await answersAndDocuments(system);
  await queuesEachOrderOnce(system);
  await stopsAtAnError(system);
  await bearsTheWorstKills(system);
  await bearsKills(system);
  await countsExactly(system);
  await startsAgain(system);
});

async function answersAndDocuments({ urls, processes }: System): Promise<void> {
  for (const [index, url] of urls.entries()) {
    const asked = { positive_inserts: 2, negative_inserts: 1 };
    expect(await insert(url, 2, 1)).toEqual({ status: 201, body: asked });
    expect(await run(url)).toEqual({ status: 200, body: { [`System ${index + 1}`]: 'Running process' } });
    const malformed = ['{', '{}', '{"positive_inserts":-1,"negative_inserts":0}', '{"positive_inserts":1.5}'];
    for (const text of malformed)
      expect(await ask(`${url}/v0/insert-data`, 'POST', text)).toMatchObject({ status: 422 });
    const unknown = await ask(`${url}/log/00000000-0000-4000-8000-000000000000`, 'GET');
    expect(unknown).toEqual({ status: 404, body: { status: 404, detail: 'there is nothing here' } });
    const { body } = await ask(`${url}/openapi.json`, 'GET');
    const routes = ['insert-data', 'process/run', 'process/clear', 'process/unblock'].map((path) => `/v0/${path}`);
    expect(Object.keys((body as { paths: object }).paths)).toEqual([...routes, '/log/{message_id}', '/dead']);
    for (const path of ['/docs', '/docs/swagger-ui-bundle.js']) expect((await fetch(url + path)).status).toBe(200);
  }
  const consumers = processes().filter(({ command }) => CONSUMER.test(command));
  expect(consumers).toHaveLength(2);
  for (const { pid } of consumers)
    expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).toContain('LOG_TTL_MS=600000\0');
}

async function queuesEachOrderOnce(system: System): Promise<void> {
  const [one] = system.urls;
  await insert(one, 80, 40);
  const runs = await Promise.all(Array.from({ length: 4 }, () => run(one)));
  expect(runs.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  expect(await queued(system)).toBe(await inserted(system));
  // The ids of an insert that takes long are smaller than those of one that comes and commits meanwhile.
  await sql`CREATE TRIGGER orders_system_1.slow BEFORE INSERT ON orders_system_1.orders FOR EACH ROW
    DO SLEEP(IF(NEW.security_check, 0.05, 0))`.execute(system.db);
  const longInsert = insert(one, 10, 0);
  await sleep(150);
  await insert(one, 0, 1);
  await run(one);
  await longInsert;
  await sql`DROP TRIGGER orders_system_1.slow`.execute(system.db);
  for (let n = 0; n < 2; n++) {
    await run(one);
    expect(await queued(system)).toBe(await inserted(system));
  }
}

async function stopsAtAnError(system: System): Promise<void> {
  const [, two] = system.urls;
  const before = await queued(system);
  await insert(two, 110, 0);
  await sql`UPDATE orders_system_2.orders SET product = '' ORDER BY id DESC LIMIT 1`.execute(system.db);
  const failed = await run(two);
  expect(failed).toMatchObject({ status: 500, body: { detail: expect.stringContaining('cannot be queued') } });
  expect(await run(two)).toMatchObject({ status: 409 });
  expect(await run(system.urls[0])).toMatchObject({ status: 200 });
  const unblock = () => ask(`${two}/v0/process/unblock`);
  expect(await unblock()).toEqual({ status: 200, body: { 'System 2': 'Unblocked' } });
  expect(await run(two)).toMatchObject({ status: 500 });
  // The orders before the faulty one are not queued either.
  expect(await queued(system)).toBe(before);
  await sql`UPDATE orders_system_2.orders SET product = 'corrected' WHERE product = ''`.execute(system.db);
  await unblock();
  expect(await run(two)).toMatchObject({ status: 200 });
  expect(await queued(system)).toBe(await inserted(system));
}

/** Consumers are killed while they write an order whose last attempt it is, and hold it alone. */
async function bearsTheWorstKills(system: System): Promise<void> {
  const { db, urls, kill } = system;
  await expect.poll(() => unfinished(system), PATIENT).toBe(0);
  const insertDueOnes = async () => {
    kill(CONSUMER); // one that has just begun takes its first event alone
    await insert(urls[0], 6, 0);
    await run(urls[0]);
    const due = sql`UPDATE Outbox SET event = JSON_SET(event, '$.payload.processing_times', 1)`;
    return Number((await due.execute(db)).numAffectedRows);
  };
  await sql`CREATE TRIGGER slow BEFORE INSERT ON endput_orders FOR EACH ROW DO SLEEP(0.3)`.execute(db);
  await expect.poll(insertDueOnes).toBe(6);
  for (let strikes = 0; strikes < 2; strikes++) {
    do await nextHeld(system);
    while (kill(CONSUMER) === 0);
  }
  const lost = () => count(system, sql`SELECT COUNT(*) FROM EventLog WHERE outcome = 'lost'`);
  await expect.poll(lost).toBeGreaterThan(0);
  await sql`DROP TRIGGER slow`.execute(db);
}

/** Resolves when a consumer holds an event that none has held before. */
async function nextHeld({ db }: System): Promise<void> {
  const held = async () => {
    const { rows } = await sql<{ claim: string }>`
      SELECT CONCAT(id, ' ', attempts) AS claim FROM Events WHERE open = 1 AND processing = 1`.execute(db);
    return rows.map(({ claim }) => claim);
  };
  const before = await held();
  const isNew = async () => (await held()).some((claim) => !before.includes(claim));
  await expect.poll(isNew, { interval: 2 }).toBe(true);
}

/** Orders come and are queued all the time, and all that serves them is killed. */
async function bearsKills({ urls, kill }: System): Promise<void> {
  let isOver = false;
  const calling = urls.map(async (url) => {
    while (!isOver) {
      // For a while nobody may be there.
      await Promise.allSettled([insert(url, 4, 1), run(url), run(url)]);
      await sleep(200);
    }
  });
  for (const command of [CONSUMER, SERVER, API, CONSUMER]) {
    await sleep(1_000);
    await expect.poll(() => kill(command)).toBeGreaterThan(0);
  }
  isOver = true;
  await Promise.all(calling);
  for (const url of urls)
    await expect.poll(async () => (await run(url).catch(() => undefined))?.status, PATIENT).toBe(200);
}

async function countsExactly(system: System): Promise<void> {
  const { urls } = system;
  await writesEachOrder(system, { times: 1 });
  const messages = await readMessages(system);
  const negatives = messages.filter(({ order }) => !order.security_check).map(({ message_id }) => message_id);
  expect(await readAllDead(urls[1])).toEqual(negatives);
  let lines = 0;
  for (const [index, message] of messages.entries()) {
    const { body } = await ask(`${urls[index % 2]!}/log/${message.message_id}`, 'GET');
    expect(body).toEqual(logOf(message));
    const ends = (body as { processed_at: string }[]).map(({ processed_at }) => Date.parse(processed_at));
    lines += ends.length;
    expect(ends[0]! - message.createdAt).toBeGreaterThanOrEqual(DUE_AFTER_MS);
    // A line is written some time after the moment that its pause begins with.
    for (const [nth, end] of ends.slice(1).entries()) expect(end - ends[nth]!).toBeGreaterThan(RETRY_AFTER_MS - 150);
  }
  const attempts = messages.map(({ order, processing_times }) => (order.security_check ? processing_times : 5));
  expect(lines).toBe(attempts.reduce((sum, each) => sum + each, 0));
}

async function startsAgain(system: System): Promise<void> {
  for (const [index, url] of system.urls.entries()) {
    expect(await ask(`${url}/v0/process/clear`)).toEqual({ status: 200, body: { [`System ${index + 1}`]: 'Cleared' } });
    await run(url);
  }
  await writesEachOrder(system, { times: 2 });
}

/** The output has each order that is due to it, so many times; all orders were queued as often. */
async function writesEachOrder(system: System, { times }: { times: number }): Promise<void> {
  await expect.poll(() => unfinished(system), PATIENT).toBe(0);
  expect(await queued(system)).toBe(times * (await inserted(system)));
  const columns = sql`origin_system, product, price`;
  const { rows: outputs } = await sql`SELECT ${columns} FROM endput_orders ORDER BY ${columns}`.execute(system.db);
  const { rows: positives } = await sql`
    SELECT ${columns} FROM ${SOURCE_ORDERS} WHERE security_check ORDER BY ${columns}`.execute(system.db);
  expect(outputs).toEqual(positives.flatMap((row) => Array.from({ length: times }, () => row)));
}

function logOf({ message_id, processing_times, origin, order }: Message) {
  return Array.from({ length: Math.min(processing_times, 5) }, (_, nth) => {
    const attempt = nth + 1;
    const isFilled = attempt === processing_times;
    const outcome = isFilled ? 'filled' : attempt === 5 ? 'dead' : 'failed';
    const text = `${isFilled ? 'SUCCESS' : 'FAILURE'} at the ${attempt} attempt.`;
    return { message_id, attempt, outcome, text, origin, order, processed_at: expect.any(String) };
  });
}

async function readMessages(system: System): Promise<(Message & { createdAt: number })[]> {
  const messages = [];
  for (let id = await queued(system); id > 0; id--) {
    const { payload, createdAt } = (await showEvent(system.db, id))!;
    messages.unshift({ ...(JSON.parse(payload!) as Message), createdAt: createdAt.getTime() });
  }
  const times = messages.map(({ processing_times }) => processing_times);
  expect(new Set(times)).toEqual(new Set([1, 2, 3, 4, 5, 6]));
  return messages;
}

async function readAllDead(url: string): Promise<string[]> {
  const all: string[] = [];
  for (let after = 0; ; ) {
    const { body } = await ask(`${url}/dead?after=${after}`, 'GET');
    const page = body as { id: number; message_id: string }[];
    if (page.length === 0) return all;
    all.push(...page.map(({ message_id }) => message_id));
    after = page.at(-1)!.id;
  }
}
