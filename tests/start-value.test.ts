import { readFile } from 'node:fs/promises';
import { sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import { readOperatorConfig } from '../cli/config.ts';
import { runCommand } from '../cli/run-command.ts';
import { runConsumer } from '../consumer/run-consumer.ts';
import { createEvents } from '../database/events/create.ts';
import { moveOutbox } from '../database/events/outbox.ts';
import { countEvents } from '../database/events/read.ts';
import { loadSchema } from '../database/load-schema.ts';
import { runStatements, splitStatements } from '../database/sql-script.ts';
import { defineHandlers } from '../handlers/define-handlers.ts';
import type { HandlerInput } from '../handlers/handler.ts';
import { startTestApp } from './producer-app.ts';
import { createRecordingReport } from './recording-report.ts';
import { createTestDatabase, useTestDatabase } from './test-database.ts';

/** A queue whose ids do not begin with 1, as those of the queues of docs/scale.md; here beyond the last of 900. */

const START = 9_000_000_000_000_000;
const database = await useTestDatabase();
const { db } = database;
const setStart = () => sql`UPDATE DBStatus SET id = ${START} WHERE id = 0`.execute(db);
beforeEach(setStart);

const post = (body: object, headers: Record<string, string> = {}) => ({
  method: 'POST',
  headers: { 'Content-Type': 'application/json', ...headers },
  body: JSON.stringify(body),
});

const handlers = defineHandlers({
  order: {
    attempts: 1,
    log: 'all',
    handle: ({ id, payload }: HandlerInput<{ n: number } | undefined>) => {
      if (payload === undefined) throw new Error('no number');
      return { id, n: payload.n };
    },
  },
});
const work = () => runConsumer({ db, handlers, once: true, report: createRecordingReport() });

test('ids follow the start value, and setting it again changes nothing', async () => {
  const { app } = startTestApp(db);
  const answer = await app.request('/create-async?count=10', { method: 'POST' });
  expect(answer.headers.get('location')).toBe(`/${START + 1}`);
  expect(await answer.json()).toMatchObject({ id: START + 1, count: 10 });
  await setStart();
  expect(await (await app.request('/')).json()).toEqual({ events: START + 10 });
  expect(await (await app.request(`/${START + 10}`)).json()).toMatchObject({ id: START + 10, status: 'pending' });
});

test('payloads, keys, Idempotency-Keys and the outbox work behind it', async () => {
  const { app } = startTestApp(db);
  const list = { events: [1, 2, 3].map((n) => ({ kind: 'order', key: 'ana', payload: { n } })) };
  const ids = [];
  for (const _ of ['first', 'repeated']) {
    const answer = await app.request('/create-async', post(list, { 'Idempotency-Key': 'once' }));
    ids.push(((await answer.json()) as { id: number }).id);
  }
  expect(ids).toEqual([START + 1, START + 1]);
  const fourth = JSON.stringify({ kind: 'order', key: 'ana', payload: { n: 4 } });
  await sql`INSERT INTO Outbox (event) VALUES (${fourth})`.execute(db);
  expect(await moveOutbox(db)).toMatchObject({ moved: 1 });
  await work();
  for (const n of [1, 2, 3, 4]) {
    const event = await (await app.request(`/${START + n}`, { headers: { Prefer: 'wait=1' } })).json();
    expect(event).toEqual({ id: START + n, kind: 'order', valor: { id: START + n, n }, status: 'filled' });
  }
  const { rows } = await sql<{ id: number }>`SELECT id FROM EventLog ORDER BY line`.execute(db);
  expect(rows.map(({ id }) => id)).toEqual([1, 2, 3, 4].map((n) => START + n));
});

test('an operator finds, shows and revives a dead event', async () => {
  const id = await createEvents(db, [{ kind: 'order' }]);
  await work();
  let out = '';
  const write = (line: string) => void (out += `${line}\n`);
  for (const args of [['dead'], ['show', String(id)], ['log', String(id)], ['revive', String(id)]]) {
    const { command, json } = readOperatorConfig(args, { DATABASE_URL: database.url });
    if (command.name === 'help') throw new Error('help is no command');
    expect(await runCommand({ db, json, write, complain: write }, command)).toBe(true);
  }
  expect(out.match(new RegExp(`#${START + 1}\\b`, 'g'))!.length).toBeGreaterThanOrEqual(3);
  expect(out).toContain('no number');
});

test('npm run migrate keeps it, on an empty queue and on one in use', async () => {
  for (const events of [0, 1]) {
    if (events > 0) await createEvents(db, [{}]);
    await loadSchema(db);
    expect(await countEvents(db)).toBe(START + events);
  }
});

test('an upgrade from version 1 keeps it', async () => {
  await using old = await createTestDatabase({ hasSchema: false });
  const script = await readFile('database/upgrades/older/1b.sql', 'utf8');
  await runStatements(old.db, splitStatements(script));
  await sql`UPDATE DBStatus SET id = ${START} WHERE id = 0`.execute(old.db);
  await loadSchema(old.db);
  expect(await createEvents(old.db, [{}])).toBe(START + 1);
});
