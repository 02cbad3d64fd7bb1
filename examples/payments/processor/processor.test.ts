import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { expect, onTestFinished, test } from 'vitest';
import { createProcessor } from './processor.ts';

/** Every line of what the two real processors do, at which the handler is aimed. */

type App = ReturnType<typeof createProcessor>;

const at = '2026-01-02T03:04:05.678Z';
const send = async (app: App, method: string, path: string, body?: object) =>
  app.request(path, { method, ...(body ? { body: JSON.stringify(body) } : {}) });
const pay = (app: App, correlationId: string = randomUUID(), more: object = { requestedAt: at }) =>
  send(app, 'POST', '/payments', { correlationId, amount: 19.9, ...more });
const delay = (app: App, ms: number) => send(app, 'PUT', '/admin/configurations/delay', { delay: ms });
const fail = (app: App, failure: boolean) => send(app, 'PUT', '/admin/configurations/failure', { failure });
const summary = async (app: App, query = '') =>
  (await (await app.request(`/admin/payments-summary${query}`)).json()) as object;

test('a payment is stored as it was sent, and a second one of its id is 422', async () => {
  const app = createProcessor();
  const id = randomUUID();
  expect((await pay(app, id)).status).toBe(200);
  expect((await pay(app, id)).status).toBe(422);
  const found = await app.request(`/payments/${id}`);
  expect(await found.json()).toEqual({ correlationId: id, amount: 19.9, requestedAt: at });
  expect((await app.request(`/payments/${randomUUID()}`)).status).toBe(404);
  expect(await summary(app)).toEqual({ totalRequests: 1, totalAmount: 19.9 });
});

test('one without requestedAt is stored as of year 1, and answered 200 all the same', async () => {
  const app = createProcessor();
  const id = randomUUID();
  expect((await pay(app, id, { requested_at: at })).status).toBe(200);
  expect(await (await app.request(`/payments/${id}`)).json()).toMatchObject({
    requestedAt: '0001-01-01T00:00:00.000Z',
  });
});

test('while it fails it answers 500 without a body after the delay, and stores nothing', async () => {
  const app = createProcessor();
  const id = randomUUID();
  await delay(app, 50);
  await fail(app, true);
  const startedAt = performance.now();
  const answer = await pay(app, id);
  expect(performance.now() - startedAt).toBeGreaterThan(49);
  expect([answer.status, await answer.text()]).toEqual([500, '']);
  expect((await app.request(`/payments/${id}`)).status).toBe(404);
});

test('whether it fails is decided after the delay, and a known id fails as well', async () => {
  const app = createProcessor();
  const id = randomUUID();
  await pay(app, id);
  await delay(app, 50);
  const [unknown, known] = [pay(app), pay(app, id)];
  await fail(app, true);
  expect([(await unknown).status, (await known).status]).toEqual([500, 500]);
});

test('what it cannot read is 500 with a JSON body', async () => {
  const app = createProcessor();
  const bodies = ['{', '{}', JSON.stringify({ correlationId: 'x', amount: 1 })];
  for (const body of bodies) {
    const answer = await app.request('/payments', { method: 'POST', body });
    expect(answer.status).toBe(500);
    expect(await answer.json()).toHaveProperty('message');
  }
});

test('a payment whose caller has left is stored all the same', async () => {
  const app = createProcessor();
  const respond = getRequestListener(app.fetch);
  const server: Server = createServer((request, response) => void respond(request, response)).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/payments`;
  const id = randomUUID();
  await delay(app, 300);
  const leaving = new AbortController();
  const arrived = once(server, 'request');
  const body = JSON.stringify({ correlationId: id, amount: 1, requestedAt: at });
  const asked = fetch(url, { method: 'POST', body, signal: leaving.signal });
  await arrived;
  leaving.abort();
  await expect(asked).rejects.toThrow();
  await expect.poll(async () => (await app.request(`/payments/${id}`)).status).toBe(200);
});

test('800 payments at once and 500 in the queue; a further one is 429 at once', async () => {
  const app = createProcessor();
  await delay(app, 300);
  const accepted = Array.from({ length: 1_300 }, () => pay(app));
  const refused = await pay(app);
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '5']);
  expect(await summary(app)).toMatchObject({ totalRequests: 0 });
  await accepted[799];
  expect(await summary(app)).toMatchObject({ totalRequests: 800 });
  expect((await Promise.all(accepted)).every(({ status }) => status === 200)).toBe(true);
  expect((await pay(app)).status).toBe(200);
});

test('service-health answers one call a window for all; two are held for later windows, and the fourth is 429', async () => {
  const app = createProcessor({ healthWindowMs: 200 });
  await delay(app, 7);
  await fail(app, true);
  const ask = async () => {
    const answer = await app.request('/payments/service-health');
    return { status: answer.status, body: answer.ok ? await answer.json() : '', at: performance.now() };
  };
  const startedAt = performance.now();
  const answers = await Promise.all([ask(), ask(), ask(), ask()]);
  const well = { status: 200, body: { failing: true, minResponseTime: 7 } };
  expect(answers).toMatchObject([well, well, well, { status: 429 }]);
  const windows = answers.map((answer) => (answer.at - startedAt) / 200);
  expect(windows[1]).toBeGreaterThan(0.99);
  expect(windows[2]).toBeGreaterThan(1.99);
  expect(windows[3]).toBeLessThan(windows[1]!);
});

test('the summary includes both ends, to the millisecond, and a purge empties it', async () => {
  const app = createProcessor();
  for (const ms of [677, 678, 679])
    await pay(app, randomUUID(), { amount: 0.1, requestedAt: `2026-01-02T03:04:05.${ms}Z` });
  expect(await summary(app)).toEqual({ totalRequests: 3, totalAmount: 0.3 });
  expect(await summary(app, `?from=${at}&to=${at}`)).toEqual({ totalRequests: 1, totalAmount: 0.1 });
  expect(await summary(app, `?from=${at}`)).toEqual({ totalRequests: 2, totalAmount: 0.2 });
  await send(app, 'POST', '/admin/purge-payments');
  expect(await summary(app)).toEqual({ totalRequests: 0, totalAmount: 0 });
});

test('neither a delay nor a failure keeps it from telling what it was paid', async () => {
  const app = createProcessor();
  const id = randomUUID();
  await pay(app, id);
  await delay(app, 86_400_000);
  await fail(app, true);
  expect((await app.request(`/payments/${id}`)).status).toBe(200);
});
