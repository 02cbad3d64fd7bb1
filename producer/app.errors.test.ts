import { hash } from 'node:crypto';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { DatabaseError, PoolBusyError } from '../database/database-error.ts';
import { countEvents } from '../database/events/read.ts';
import { problemOf, startTestApp } from '../tests/producer-app.ts';
import { useTestDatabase } from '../tests/test-database.ts';
import { createBatcher } from './create-batcher.ts';
import type { ProducerOptions } from './producer.ts';

/** What a caller is told when something fails, and what the log keeps. */

const database = await useTestDatabase();

const { db } = database;

const POST = { method: 'POST' };

/** An error of the driver, with what must not get out in its text. */
const driverError = (properties: object) =>
  Object.assign(new Error("Access denied for 'user'@'10.1.2.3' in CALL create_events"), properties);

/** Nothing of these may be in an answer: SQL, a stack, an address, a path, the driver's words. */
const INTERNAL = /CALL|SELECT|\bat \w|\.ts|node_modules|10\.1\.2\.3|Access denied|user|create_events|Error:/;

/** The app whose creates fail like this, and what it logs. */
function startFailing(error: Error, replaced: Partial<ProducerOptions> = {}) {
  const lines: Record<string, unknown>[] = [];
  const log = pino({ base: null }, { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) });
  const createEvents = async () => {
    throw error;
  };
  return { ...startTestApp(db, { log, createEvents, ...replaced }), lines };
}

describe.each(['/create-async', '/create-sync'])('POST %s', (path) => {
  test('says that the outcome is unknown when contact was lost on the way', async () => {
    const error = new DatabaseError(driverError({ code: 'ECONNRESET' }), true);
    expect(error.fault).toBe('unknown');
    const response = await startFailing(error).app.request(path, POST);
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBeNull();
    const problem = await problemOf(response);
    expect(problem).toMatchObject({ outcome: 'unknown', detail: expect.stringContaining('may or may not') });
    expect(JSON.stringify(problem)).not.toMatch(INTERNAL);
  });

  test.each([
    ['unavailable', { code: 'ECONNREFUSED' }],
    ['not applied', { errno: 1213 }],
    ['overloaded', undefined],
  ])('says that nothing was changed and when to come again after the fault %s', async (fault, properties) => {
    const error = new DatabaseError(properties ? driverError(properties) : new PoolBusyError('busy'), false);
    expect(error.fault).toBe(fault);
    const response = await startFailing(error).app.request(path, POST);
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
    const problem = await problemOf(response);
    expect(problem['detail']).toContain('Nothing was changed');
    expect(problem).not.toHaveProperty('outcome');
    expect(JSON.stringify(problem)).not.toMatch(INTERNAL);
  });

  test.each([
    ['a surprise', driverError({ sql: 'CALL create_events' })],
    ['a permanent fault', new DatabaseError(driverError({ errno: 1146, sqlState: '42S02' }), true)],
  ])('says nothing internal of %s, which the log has under the same request id', async (_, error) => {
    const { app, lines } = startFailing(error);
    const response = await app.request(path, POST);
    expect(response.status).toBe(500);
    const problem = await problemOf(response);
    expect(JSON.stringify(problem)).not.toMatch(INTERNAL);
    const { requestId } = problem;
    expect(lines).toContainEqual(
      expect.objectContaining({
        requestId,
        err: expect.objectContaining({ message: expect.stringMatching(INTERNAL) }),
      }),
    );
  });

  test('is refused with nothing created while too many creates wait', async () => {
    const { app } = startTestApp(db, { createEvents: createBatcher({ db, maxRequests: 1, maxQueued: 0 }) });
    const response = await app.request(path, POST);
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await problemOf(response)).toMatchObject({ detail: expect.stringContaining('Nothing was created') });
    expect(await countEvents(db)).toBe(0);
  });
});

const sent = (body: string, headers: Record<string, string> = {}) => ({
  method: 'POST',
  body,
  headers: { 'Content-Type': 'application/json', 'Content-Length': String(body.length), ...headers },
});
const keyed = (key: string) => ({ method: 'POST', headers: { 'Idempotency-Key': key } });

// What curl -d says, unless it is told otherwise.
const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' };

interface Sent extends RequestInit {
  headers?: Record<string, string>;
}

test.each<[number, string, Sent, string]>([
  [400, '/x', {}, '1 to 9007199254740991'],
  [400, '/create-async?count=0', POST, 'from 1 to 10000'],
  [400, '/create-sync?count=5', POST, 'create-async?count=N'],
  [400, '/create-async', sent('{'), 'Send {} or no body'],
  [400, '/create-async', keyed('a b'), '1 to 255 visible ASCII characters'],
  [400, '/operator/dead?limit=0', {}, 'from 1 to 1000'],
  [401, '/create-async', { ...POST, headers: { Authorization: '' } }, 'Authorization: Bearer TOKEN'],
  [401, '/create-async', { ...POST, headers: { Authorization: 'Bearer other' } }, 'ask the operator'],
  [404, '/nothing/here', {}, '/docs'],
  [405, '/create-async', {}, 'use POST'],
  [405, '/', POST, 'use GET, HEAD'],
  [413, '/create-sync', sent(' '.repeat(70_000)), 'at most 69632 bytes'],
  [415, '/create-async', sent('a=b', FORM), "curl --json '{}'"],
  [415, '/create-async', sent('{}', { 'Content-Type': 'text/plain' }), 'Content-Type: application/json'],
  [415, '/create-async', sent('{}', { 'Content-Encoding': 'gzip' }), 'without Content-Encoding'],
  [415, '/create-async', sent('{"kind":"email"}', FORM), "-H 'Content-Type: application/json'"],
  [422, '/create-async', sent('{"x":1}'), '"x"; kind, payload, key and delayMs are known'],
])('a %i for %s says what would be right', async (status, path, init, right) => {
  const token = hash('sha256', 'token');
  const { app } = startTestApp(db, { apiTokens: [token], operatorTokens: [token] });
  const headers = { Authorization: 'Bearer token', ...init.headers };
  const response = await app.request(path, { ...init, headers });
  expect(response.status).toBe(status);
  expect(await problemOf(response)).toMatchObject({ detail: expect.stringContaining(right) });
});

test('a read without a database is 503, and its document tells nothing internal', async () => {
  const url = 'mysql://user:password@127.0.0.1:1/none';
  const { app } = startTestApp(database.connect({ url, retryMs: 50 }));
  for (const path of ['/', '/1']) {
    const response = await app.request(path);
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
    expect(JSON.stringify(await problemOf(response))).not.toMatch(/127\.0\.0\.1|ECONNREFUSED|password/);
  }
});

describe('the request id', () => {
  const ask = async (id?: string) => {
    const { app } = startTestApp(db);
    const response = await app.request('/livez', { headers: id === undefined ? {} : { 'X-Request-Id': id } });
    return response.headers.get('x-request-id');
  };

  test.each(['a', 'order-17', '0123456789abcdef0123456789abcdef', 'a_b.c-d', 'x'.repeat(64)])(
    'is the one that was given when that is harmless: %s',
    async (id) => {
      expect(await ask(id)).toBe(id);
    },
  );

  test.each(['', 'a b', 'a,b', 'a"b', '<script>', 'a;b', 'é', '../x', '{}', 'x'.repeat(65), 'x'.repeat(10_000)])(
    'is a new one when the given one is not harmless: %s',
    async (id) => {
      expect(await ask(id)).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    },
  );

  test('is new for each request that brings none', async () => {
    expect(await ask()).not.toBe(await ask());
  });

  test('is in the answer and in the log line of success and failure alike', async () => {
    const { app, lines } = startFailing(new Error('x'));
    for (const [method, path, status] of [
      ['GET', '/', 200],
      ['GET', '/x', 400],
      ['GET', '/1/2', 404],
      ['POST', '/', 405],
      ['POST', '/create-async', 500],
    ] as const) {
      const requestId = `test-${status}`;
      const response = await app.request(path, { method, headers: { 'X-Request-Id': requestId } });
      expect(response.headers.get('x-request-id')).toBe(requestId);
      if (status >= 400) expect(await problemOf(response)).toMatchObject({ requestId, status });
      expect(lines).toContainEqual(expect.objectContaining({ requestId, method, path, status }));
    }
  });
});

test('a request that went well has a line only if that was asked for, a failed one always', async () => {
  const { app, lines } = startFailing(new Error('x'), { logsAll: false });
  await app.request('/');
  await app.request('/livez');
  await app.request('/nothing/here');
  // The producer itself may say something of its database meanwhile.
  const ofRequests = lines.filter((line) => 'requestId' in line);
  expect(ofRequests).toEqual([expect.objectContaining({ path: '/nothing/here', status: 404 })]);
});

test('nobody on another site is let in by CORS headers', async () => {
  const { app } = startTestApp(db);
  const response = await app.request('/', { headers: { Origin: 'https://evil.example' } });
  expect([...response.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
});
