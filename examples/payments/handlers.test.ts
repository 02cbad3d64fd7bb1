import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { getRequestListener } from '@hono/node-server';
import { sql } from 'kysely';
import { afterAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { readScript, runStatements } from '../../database/sql-script.ts';
import { createProducer, runConsumer } from '../../index.ts';
import { createRecordingReport } from '../../tests/recording-report.ts';
import { useTestDatabase } from '../../tests/test-database.ts';
import { createHealth } from './health.ts';
import { createProcessor } from './processor/processor.ts';
import { connectProcessor } from './processors.ts';

/** What the handler makes of each answer of a processor: paid once, whatever it was told. */

const LONGEST_DELAY_MS = 400;
const LONG_AGO = new Date('2026-01-02T03:04:05.678Z');

const database = await useTestDatabase();
const { db } = database;
await runStatements(db, await readScript(new URL('schema.sql', import.meta.url).href));
const consumerUrl = database.url.replace('//user:', '//consumer:');
const cheaper = await startProcessor();
const dearer = await startProcessor();
vi.stubEnv('DATABASE_URL', consumerUrl);
vi.stubEnv('DEFAULT_PROCESSOR_URL', cheaper.url);
vi.stubEnv('FALLBACK_PROCESSOR_URL', dearer.url);
vi.stubEnv('LONGEST_DELAY_MS', String(LONGEST_DELAY_MS));
const { default: handlers } = await import('./handlers.ts');

/** What stands between a processor and its caller for one attempt. `pay` lets the processor do its work. */
type Trouble = (pay: () => Promise<Response>, cut: () => void) => Promise<Response>;

async function startProcessor() {
  let app = createProcessor();
  const troubles = new Map<string, Trouble[]>();
  let healthCalls = 0;
  const respond = getRequestListener(async (request, env) => {
    const { socket } = (env as { incoming: { socket: { destroy: () => void } } }).incoming;
    if (request.url.endsWith('/service-health')) healthCalls++;
    if (request.method !== 'POST') return app.fetch(request);
    const body = await request.text();
    const { correlationId: id } = JSON.parse(body) as { correlationId: string };
    const pay = async () => app.request('/payments', { method: 'POST', body });
    const trouble = troubles.get(id)?.shift() ?? pay;
    return trouble(pay, () => socket.destroy());
  });
  const server = createServer((request, response) => void respond(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  afterAll(() => {
    server.close();
    server.closeAllConnections();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    renew: () => {
      app = createProcessor();
    },
    /** At the first attempts to pay `id`. */
    meet: (id: string, ...first: Trouble[]) => troubles.set(id, first),
    set: (path: string, body: object) =>
      app.request(`/admin/configurations/${path}`, { method: 'PUT', body: JSON.stringify(body) }),
    pay: (id: string) =>
      app.request('/payments', {
        method: 'POST',
        body: JSON.stringify({ correlationId: id, amount: 19.9, requestedAt: LONG_AGO.toISOString() }),
      }),
    has: async (id: string) => (await app.request(`/payments/${id}`)).status === 200,
    healthCalls: () => healthCalls,
  };
}

beforeEach(async () => {
  for (const processor of [cheaper, dearer]) processor.renew();
  await sql`DELETE FROM payments`.execute(db);
  // Both are well, and nobody asks.
  await sql`UPDATE processor_health SET asked_at = '9999-01-01', failing = FALSE, min_response_ms = 0`.execute(db);
});

/** The event of a payment, as the API creates it. */
async function accept(id: string = randomUUID()): Promise<string> {
  await createProducer({ db }).create([{ kind: 'payment', key: id, payload: { correlationId: id, amount: 19.9 } }]);
  return id;
}

function startConsumer(): void {
  const stop = new AbortController();
  const db = database.connect({ url: consumerUrl });
  const report = createRecordingReport();
  const running = runConsumer({ db, handlers, report, signal: stop.signal, pollMs: 20 });
  onTestFinished(async () => {
    stop.abort();
    await running;
  });
}

async function untilFilled(count = 1): Promise<void> {
  const filled = () => db.selectFrom('Events').select('id').where('valor', 'is not', null).execute();
  await expect.poll(filled).toHaveLength(count);
}

async function rows() {
  const { rows } = await sql<{ id: string; processor: string }>`
    SELECT correlation_id AS id, processor, cents, requested_at AS at FROM payments`.execute(db);
  return rows;
}

const connected = {
  default: connectProcessor('default', cheaper.url, 1_000),
  fallback: connectProcessor('fallback', dearer.url, 1_000),
};

const json = (status: number) => Response.json({ message: 'trouble' }, { status });

const refuse: Trouble = async () => new Response(null, { status: 429 });
const unknown: Record<string, Trouble> = {
  'no answer, after it was stored': async (pay, cut) => (await pay(), cut(), json(500)),
  'no answer, before it is stored': async (pay, cut) => (cut(), pay()),
  'half an answer': async (pay, cut) => {
    await pay();
    setImmediate(cut);
    return new Response('{', { headers: { 'content-length': '9' }, status: 500 });
  },
  '500 with a body, after it was stored': async (pay) => (await pay(), json(500)),
  '500 with a body, not stored': async () => json(500),
  'another status': async (pay) => (await pay(), new Response(null, { status: 502 })),
  '422, since it was stored before': async (pay) => (await pay(), pay()),
};

test('after an unknown outcome it is looked up when nothing is under way any more, and paid once', async () => {
  await cheaper.set('delay', { delay: LONGEST_DELAY_MS });
  const ids = new Map(Object.keys(unknown).map((name) => [name, randomUUID() as string]));
  // Whoever looks too early finds nothing, is refused, and pays the other one.
  for (const [name, id] of ids) cheaper.meet(id, unknown[name]!, ...(name.endsWith('not stored') ? [] : [refuse]));
  for (const id of ids.values()) await accept(id);
  startConsumer();
  await untilFilled(ids.size);
  for (const [name, id] of ids) {
    const paid = [await cheaper.has(id), await dearer.has(id)];
    expect({ name, paid }).toEqual({ name, paid: [true, false] });
  }
  const recorded = new Map((await rows()).map(({ id, processor }) => [id, processor]));
  expect(recorded).toEqual(new Map([...ids.values()].map((id) => [id, 'default'])));
});

test('a payment that a dead consumer sent is recorded as the processor has it', async () => {
  const id = await accept();
  await dearer.pay(id);
  await sql`UPDATE Events SET attempts = 1`.execute(db); // the dead consumer's claim
  startConsumer();
  await untilFilled();
  expect(await rows()).toEqual([{ id, processor: 'fallback', cents: 1990, at: LONG_AGO }]);
  expect(await cheaper.has(id)).toBe(false);
});

test.each([429, 500])('%i without a body is certainly a refusal: the other one is paid at once', async (status) => {
  const id = await accept();
  cheaper.meet(id, async () => new Response(null, { status }));
  startConsumer();
  await untilFilled();
  expect(await rows()).toMatchObject([{ id, processor: 'fallback' }]);
  expect(await db.selectFrom('Events').select('attempts').executeTakeFirst()).toEqual({ attempts: 1 });
});

test('while both refuse it waits, and is paid without a failure when one is well again', async () => {
  for (const processor of [cheaper, dearer]) await processor.set('failure', { failure: true });
  const id = await accept();
  startConsumer();
  const waits = async () => (await db.selectFrom('Events').select('waits').executeTakeFirst())!.waits;
  await expect.poll(waits).toBeGreaterThan(0);
  await dearer.set('failure', { failure: false });
  await untilFilled();
  expect(await rows()).toMatchObject([{ id, processor: 'fallback' }]);
  expect(await db.selectFrom('Events').select('failures').executeTakeFirst()).toEqual({ failures: 0 });
});

test('a payment that is sent ten times is paid once', async () => {
  const id = randomUUID();
  for (let n = 0; n < 10; n++) await accept(id);
  startConsumer();
  await untilFilled(10);
  expect(await rows()).toMatchObject([{ id, processor: 'default' }]);
});

test('of several processes one asks service-health, and all know the answer', async () => {
  await sql`UPDATE processor_health SET asked_at = '1970-01-01'`.execute(db);
  await cheaper.set('failure', { failure: true });
  const before = cheaper.healthCalls();
  const processes = Array.from({ length: 4 }, () => createHealth(database.connect({ url: consumerUrl }), connected));
  const known = () => Promise.all(processes.map(async (whoIsWell) => (await whoIsWell()).map(({ name }) => name)));
  await expect.poll(known).toEqual(Array.from({ length: 4 }, () => ['fallback']));
  await sleep(600); // in which each of them looks twice more
  await known();
  expect(cheaper.healthCalls() - before).toBe(1);
});

test('the cheaper one is first unless the other is half a second faster, and who fails is left out', async () => {
  const names = async () => (await createHealth(db, connected)()).map(({ name }) => name);
  const say = (state: string) =>
    sql`UPDATE processor_health SET ${sql.raw(state)} WHERE processor = 'default'`.execute(db);
  await say('min_response_ms = 499');
  expect(await names()).toEqual(['default', 'fallback']);
  await say('min_response_ms = 501');
  expect(await names()).toEqual(['fallback', 'default']);
  await say('failing = TRUE, min_response_ms = 0');
  expect(await names()).toEqual(['fallback']);
});
