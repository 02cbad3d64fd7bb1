import { hash } from 'node:crypto';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { createEvents } from '../database/events/create.ts';
import { startTestApp } from '../tests/producer-app.ts';
import { useTestDatabase } from '../tests/test-database.ts';

/** Values that a client of another language wrote into an event of a kind that is no word. */

const { db } = await useTestDatabase();

const problem = 'The value is no JSON; it is given as text.';
const fill = (valor: string) => sql`UPDATE Events SET valor = ${valor} WHERE valor IS NULL`.execute(db);
const texts = ['sent', '{"a":1', '"', '\\', 'NaN', 'olá\n"\u0001', "{'a':1}", '1,"status":"dead"', '['.repeat(5_000)];

test.each(texts)('an event with the text %.20j is answered as JSON that says what is wrong', async (text) => {
  const producer = startTestApp(db, { operatorTokens: [hash('sha256', 'operator')] });
  await createEvents(db, [{ kind: 'email' }]);
  const waiting = producer.app.request('/1', { headers: { Prefer: 'wait=9' } });
  const sync = producer.app.request('/create-sync', {
    method: 'POST',
    body: '{"kind":"email"}',
    headers: { 'Content-Type': 'application/json', 'Content-Length': '16' },
  });
  const inCode = producer.createAndWait({ kind: 'email' });
  await expect.poll(() => producer.waiting()).toBe(3);
  await fill(text);

  const filled = { kind: 'email', valor: text, status: 'filled', problem };
  for (const answer of [await waiting, await producer.app.request('/1')]) {
    expect(await answer.json()).toEqual({ id: 1, ...filled });
  }
  expect(await (await sync).json()).toEqual({ id: expect.any(Number), ...filled });
  expect(await inCode).toEqual({ id: expect.any(Number), kind: 'email', value: text, status: 'filled', problem });
  const shown = await producer.app.request('/operator/events/1', { headers: { Authorization: 'Bearer operator' } });
  expect(await shown.json()).toMatchObject(filled);
});

test('JSON of any form and the text of a word are answered as they are', async () => {
  const { app } = startTestApp(db);
  const values = ['null', ' {"n":12345678901234567890} ', '"\\ud800"', '[1,\n2]'];
  await createEvents(db, [...values.map(() => ({ kind: 'email' })), {}]);
  for (const [index, valor] of [...values, '{"no":'].entries()) {
    await sql`UPDATE Events SET valor = ${valor} WHERE id = ${index + 1}`.execute(db);
  }
  for (const [index, valor] of values.entries()) {
    const text = await (await app.request(`/${index + 1}`)).text();
    expect(text).toBe(`{"id":${index + 1},"kind":"email","valor":${valor},"status":"filled"}`);
  }
  expect(await (await app.request('/5')).json()).toEqual({ id: 5, kind: 'word', valor: '{"no":', status: 'filled' });
});
