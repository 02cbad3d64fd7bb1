import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { spawnChild, stopProcess } from '../start/child-process.ts';
import { freePort } from '../start/free-port.ts';
import { nginxArgs } from '../start/nginx.ts';
import { findProgram } from '../start/programs.ts';
import { behaviourSchema } from '../word-service/behaviour.ts';
import { createWordService } from '../word-service/server.ts';
import { type IndependentQueue, startIndependentQueue } from './independent-queue.ts';
import { copyScaleSite, writeScaleAddresses } from './scale-site.ts';

/**
 * docs/scale.md: two queues behind one nginx with the site nginx/scale. Their two databases are on the server that all tests
 * share, which is quick: nothing but mysqld could tell them from two servers.
 */

const NGINX = findProgram('nginx')!;
const RANGE = 10_000_000_000_000;
const undo = new AsyncDisposableStack();
let queues: IndependentQueue[];
let front: string;

beforeAll(async () => {
  const words = createWordService(behaviourSchema.parse({})).listen(0, '127.0.0.1');
  undo.defer(() => words.close().closeAllConnections());
  await once(words, 'listening');
  const wordServiceUrl = `http://127.0.0.1:${(words.address() as AddressInfo).port}/api`;
  queues = await Promise.all(
    [0, RANGE].map(async (startValue) => undo.use(await startIndependentQueue({ startValue, wordServiceUrl }))),
  );
  const directory = copyScaleSite();
  undo.defer(() => rmSync(directory, { recursive: true }));
  const port = await freePort();
  writeScaleAddresses(
    directory,
    port,
    queues.map(({ producerPorts }) => producerPorts),
  );
  const nginx = spawnChild(NGINX, nginxArgs(directory), { stdio: 'ignore' });
  undo.defer(() => stopProcess(nginx, 5_000));
  front = `http://127.0.0.1:${port}`;
  await vi.waitFor(() => fetch(`${front}/livez`), { timeout: 10_000 });
});
afterAll(() => undo.disposeAsync());

interface Answer {
  status: number;
  headers: Headers;
  body: { id?: number; status?: string | number; outcome?: string };
}

async function ask(path: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(front + path, init);
  return { status: response.status, headers: response.headers, body: (await response.json()) as Answer['body'] };
}

/** An event of this key, as docs/scale.md says that a client creates it. */
function createOf(key: string, { path = '/create-async', kind = 'word', headers = {} } = {}): Promise<Answer> {
  return ask(path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'Event-Key': key, ...headers },
    body: JSON.stringify({ kind, key }),
  });
}

const createWord = (headers: Record<string, string> = {}) => ask('/create-async', { method: 'POST', headers });
const queueOf = (id: number) => Math.floor(id / RANGE);
const names = (prefix: string, howMany: number) => Array.from({ length: howMany }, (_, n) => `${prefix}-${n}`);

/** Keys that nobody has used, by their queue. */
async function keysByQueue(prefix: string, howMany: number): Promise<string[][]> {
  const found = await Promise.all(names(prefix, howMany).map(async (key) => ({ key, ...(await createOf(key)) })));
  return [0, 1].map((queue) => found.filter(({ body }) => queueOf(body.id!) === queue).map(({ key }) => key));
}

test('the site is accepted by nginx as it stands', () => {
  const directory = copyScaleSite();
  onTestFinished(() => rmSync(directory, { recursive: true }));
  execFileSync(NGINX, ['-t', ...nginxArgs(directory)], { stdio: 'pipe' });
});

test('each of 300 keys goes to one queue, each queue gets its share, and both its producers serve it', async () => {
  const keys = names('client', 300);
  const answers = await Promise.all([...keys, ...keys].map((key) => createOf(key)));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
  const found = await Promise.all(
    queues.map(async ({ database: { db } }) => {
      const { rows } = await sql<{ event_key: string; n: number; least: number; most: number }>`
        SELECT event_key, COUNT(*) AS n, MIN(id) AS least, MAX(id) AS most FROM EventPayloads
        WHERE event_key LIKE 'client-%' GROUP BY event_key`.execute(db);
      return rows;
    }),
  );
  const foundKeys = found.flatMap((rows) => rows.map(({ event_key }) => event_key));
  expect(foundKeys.toSorted()).toEqual(keys.toSorted());
  for (const [n, rows] of found.entries()) {
    expect(rows.length).toBeGreaterThan(120);
    expect(rows.filter(({ n: events }) => events !== 2)).toEqual([]);
    expect(rows.filter(({ least, most }) => queueOf(least) !== n || queueOf(most) !== n)).toEqual([]);
    await expect.poll(() => Math.min(...queues[n]!.answered.values())).toBeGreaterThan(100);
  }
});

test('GET finds every event, waits for its value, and says 404 for what no queue has', async () => {
  const created = await Promise.all(names('read', 50).flatMap((key) => [createOf(key), createWord()]));
  const ids = created.map(({ body }) => body.id!);
  expect(new Set(ids.map(queueOf))).toEqual(new Set([0, 1]));
  // The last ids of both ranges.
  for (const [n, { database }] of queues.entries()) {
    ids.push((n + 1) * RANGE - 1, n * RANGE + 1);
    await sql`INSERT INTO Events (id) VALUES (${(n + 1) * RANGE - 1})`.execute(database.db);
  }
  await Promise.all(
    ids.map(async (id) => {
      const filled = await ask(`/${id}`, { headers: { Prefer: 'wait=30' } });
      expect(filled).toMatchObject({ status: 200, body: { id, status: 'filled' } });
      expect(await ask(`/${id}`)).toMatchObject({ status: 200, body: { id } });
    }),
  );
  for (const id of [RANGE / 2, RANGE, 1.5 * RANGE, 2 * RANGE + 1, Number.MAX_SAFE_INTEGER])
    expect(await ask(`/${id}`)).toMatchObject({ status: 404, body: { status: 404 } });
  expect((await ask(`/${2 ** 53}`)).status).toBe(400);
});

test('an Idempotency-Key goes to one queue and stands for one event there', async () => {
  const plain = names('order', 60).map((key) => () => createWord({ 'Idempotency-Key': key }));
  const keyed = names('payment', 60).map((key) => () => createOf('ana', { headers: { 'Idempotency-Key': key } }));
  const idsOf = (creates: (() => Promise<Answer>)[]) =>
    Promise.all(
      creates.map(async (create) => {
        const answers = await Promise.all([create(), create(), create(), create()]);
        const ids = new Set(answers.map(({ body }) => body.id!));
        expect(ids.size).toBe(1);
        return [...ids][0]!;
      }),
    );
  const spread = (await idsOf(plain)).map(queueOf);
  expect(spread.filter((queue) => queue === 0).length).toBeGreaterThan(15);
  expect(spread.filter((queue) => queue === 1).length).toBeGreaterThan(15);
  expect(new Set((await idsOf(keyed)).map(queueOf)).size).toBe(1);
});

test('while the producers of one queue are dead its keys are answered 503, and all others are served', async () => {
  const [others, keys] = await keysByQueue('outage', 80);
  const before = (await createOf(keys![0]!)).body.id!;
  const underWay = createOf(keys![1]!, { path: '/create-sync', kind: 'nobody' });
  const isCreated = async () =>
    (await sql`SELECT id FROM Kinds WHERE name = 'nobody'`.execute(queues[1]!.database.db)).rows.length === 1;
  await expect.poll(isCreated).toBe(true);
  await queues[1]!.killProducers();
  expect(await underWay).toMatchObject({ status: 503, body: { status: 503, outcome: 'unknown' } });

  for (const { status, headers, body } of await Promise.all(keys!.map((key) => createOf(key)))) {
    expect(status).toBe(503);
    expect(headers.get('retry-after')).toBe('1');
    expect(body).not.toHaveProperty('outcome');
  }
  expect((await ask(`/${before}`)).status).toBe(503);
  const served = await Promise.all([
    ...others!.map((key) => createOf(key)),
    ...Array.from({ length: 50 }, () => createWord()),
  ]);
  expect(served.map(({ status, body }) => [status, queueOf(body.id!)])).toEqual(served.map(() => [202, 0]));

  await queues[1]!.startProducers();
  const again = await Promise.all(keys!.map((key) => createOf(key)));
  expect(again.map(({ status, body }) => [status, queueOf(body.id!)])).toEqual(keys!.map(() => [202, 1]));
  expect(await ask(`/${before}`)).toMatchObject({ status: 200, body: { id: before } });
});

test.each(['/', '/operator/dead'])('%s concerns one queue alone and is refused', async (path) => {
  const { status, headers, body } = await ask(path);
  expect(status).toBe(404);
  expect(headers.get('content-type')).toBe('application/problem+json');
  expect(body).toMatchObject({ type: 'about:blank', status: 404 });
});
