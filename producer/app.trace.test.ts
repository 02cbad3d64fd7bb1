import { expect, test } from 'vitest';
import { claimAll, startTestApp } from '../tests/producer-app.ts';
import { useTestDatabase } from '../tests/test-database.ts';

/** The W3C Trace Context of a create. */

const { db } = await useTestDatabase();

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const tracestate = 'rojo=00f067aa0ba902b7';

function post(body: string, headers: Record<string, string>) {
  const length = String(Buffer.byteLength(body));
  const type = { 'Content-Type': 'application/json', 'Content-Length': length };
  return { method: 'POST', body, headers: { ...(body !== '' && type), Prefer: 'wait=0', ...headers } };
}
const rows = () => db.selectFrom('EventPayloads').select(['id', 'payload', 'trace']).orderBy('id').execute();

test.each([
  ['/create-sync', '', [1]],
  ['/create-async', '', [1]],
  ['/create-async', '{"kind":"email","payload":1}', [1]],
  ['/create-async?count=2', '{"kind":"email"}', [1, 2]],
  ['/create-async', '{"events":[{},{"kind":"email","payload":1},{"kind":"email"}]}', [1, 2, 3]],
])('%s of %j keeps the trace for each event', async (path, body, ids) => {
  const { app } = startTestApp(db);
  for (const more of [{}, { 'Idempotency-Key': 'k' }]) {
    expect((await app.request(path, post(body, { traceparent, tracestate, ...more }))).status).toBe(202);
  }
  expect((await rows()).map(({ trace }) => trace)).toEqual([...ids, ...ids].map(() => `${traceparent} ${tracestate}`));
  for (const { trace } of [...(await claimAll(db)), ...(await claimAll(db, 'email'))]) {
    expect(trace).toBe(`${traceparent} ${tracestate}`);
  }
});

test('a malformed traceparent is ignored, and its tracestate with it', async () => {
  const { app } = startTestApp(db);
  for (const malformed of ['', 'x', '00-0-0-00', `${traceparent}, ${traceparent}`, 'ü', 'x'.repeat(5_000)]) {
    const response = await app.request('/create-async', post('', { traceparent: malformed, tracestate }));
    expect(response.status).toBe(202);
  }
  expect((await app.request('/create-async', post('', { tracestate }))).status).toBe(202);
  expect(await rows()).toEqual([]);
});

test('a malformed tracestate is left out', async () => {
  const { app } = startTestApp(db);
  for (const malformed of ['x', `a=${'b'.repeat(600)}`]) {
    await app.request('/create-async', post('', { traceparent, tracestate: malformed }));
  }
  expect((await rows()).map(({ trace }) => trace)).toEqual([traceparent, traceparent]);
});

test('a word without a trace has no payload row', async () => {
  const { app } = startTestApp(db);
  await app.request('/create-async?count=3', post('', {}));
  await app.request('/create-async', post('{}', {}));
  expect(await rows()).toEqual([]);
});
