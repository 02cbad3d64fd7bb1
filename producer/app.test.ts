import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { createEvents } from '../database/events/create.ts';
import { countEvents, findEvent } from '../database/events/read.ts';
import { claimAll, fillAll, killAll, problemOf, startTestApp } from '../tests/producer-app.ts';
import { useTestDatabase } from '../tests/test-database.ts';
import { createProducer } from './producer.ts';

const database = await useTestDatabase();
const { db } = database;

describe('GET /', () => {
  test('tells how many events were ever created', async () => {
    const { app } = startTestApp(db);
    expect(await (await app.request('/')).json()).toEqual({ events: 0 });
    await createEvents(db, [{}, {}, {}]);
    const response = await app.request('/');
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ events: 3 });
  });
});

describe('GET /{id}', () => {
  test.each([
    ['pending', null, async () => {}],
    ['processing', null, () => claimAll(db)],
    ['filled', 'maçã', () => fillAll(db, 'maçã')],
    ['dead', null, () => killAll(db)],
  ])('shows a %s event', async (status, valor, bringThere) => {
    const { app } = startTestApp(db);
    await createEvents(db, [{}]);
    await bringThere();
    const response = await app.request('/1');
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(await response.json()).toEqual({ id: 1, kind: 'word', valor, status });
  });

  test.each(['/2', '/99999999999', '/9007199254740991'])('%s could be an event but is none: 404', async (path) => {
    const { app } = startTestApp(db);
    await createEvents(db, [{}]);
    const response = await app.request(path);
    expect(response.status).toBe(404);
    expect(await problemOf(response)).toMatchObject({ detail: `There is no event ${path.slice(1)}.` });
  });

  test.each([
    ...'/0 /-1 /+1 /1.5 /1.0 /1e3 /0x10 /01 /1_000 /1,000 /NaN /Infinity /null /constructor /１'.split(' '),
    ...'/1%00 /1%0a /%0a1 /1%20 /%ZZ /1%2f2 /9007199254740992 /9007199254740993'.split(' '),
    '/ 1',
    '/1 OR 1=1',
    "/1';--",
    `/${'9'.repeat(30)}`,
    `/${'1'.repeat(1_000)}`,
  ])('%s is no id: 400, and nothing asks the database', async (path) => {
    const asked: number[] = [];
    const { app } = startTestApp(db, {
      findEvent: (id) => {
        asked.push(id);
        return findEvent(db, id);
      },
    });
    await createEvents(db, [{}]);
    const response = await app.request(path);
    expect(response.status).toBe(400);
    expect(await problemOf(response)).toMatchObject({
      detail: expect.stringContaining('whole number, 1 to 9007199254740991'),
    });
    expect(asked).toEqual([]);
    expect((await app.request('/1')).status).toBe(200);
    expect(asked).toEqual([1]); // so a statement would have been seen
    expect(await countEvents(db)).toBe(1);
  });
});

describe('GET /{id} with Prefer: wait', () => {
  const asked = (prefer: string) => ({ headers: { Prefer: prefer } });

  test('is held until the event is filled', async () => {
    const { app, waiting } = startTestApp(db);
    await createEvents(db, [{}]);
    const answer = app.request('/1', asked('wait=600'));
    await expect.poll(waiting).toBe(1);
    await fillAll(db, 'enfim');
    const response = await answer;
    expect(response.status).toBe(200);
    expect(response.headers.get('preference-applied')).toBe('wait=600');
    expect(await response.json()).toEqual({ id: 1, kind: 'word', valor: 'enfim', status: 'filled' });
  });

  test('answers as the event is when the time is over', async () => {
    const { app } = startTestApp(db);
    await createEvents(db, [{}]);
    const startedAt = performance.now();
    const response = await app.request('/1', asked('wait=1'));
    expect(performance.now() - startedAt).toBeGreaterThan(990);
    expect(await response.json()).toEqual({ id: 1, kind: 'word', valor: null, status: 'pending' });
  });

  test('answers at once when there is nothing to wait for', async () => {
    const { app, waiting } = startTestApp(db);
    await createEvents(db, [{}, {}]);
    expect((await app.request('/3', asked('wait=600'))).status).toBe(404);
    await killAll(db);
    expect(await (await app.request('/1', asked('wait=600'))).json()).toMatchObject({ status: 'dead' });
    expect(waiting()).toBe(0);
  });

  test('answers 404 as soon as the event is deleted', async () => {
    const { app, waiting } = startTestApp(db);
    await createEvents(db, [{}]);
    const answer = app.request('/1', asked('wait=600'));
    await expect.poll(waiting).toBe(1);
    await db.deleteFrom('Events').execute();
    expect((await answer).status).toBe(404);
  });

  test('counts among the requests that are held, and one too many is a 503', async () => {
    const { app, waiting } = startTestApp(db, { heldRequestLimit: 1 });
    await createEvents(db, [{}]);
    const held = app.request('/1', asked('wait=600'));
    await expect.poll(waiting).toBe(1);
    expect((await app.request('/1', asked('wait=600'))).status).toBe(503);
    expect((await app.request('/1')).status).toBe(200);
    await fillAll(db, 'livre');
    expect((await held).status).toBe(200);
  });
});

describe('probes', () => {
  test('a producer that can reach its database is live and ready', async () => {
    const { app } = startTestApp(db);
    expect((await app.request('/livez')).status).toBe(200);
    expect((await app.request('/readyz')).status).toBe(200);
  });

  test('a draining producer is live, not ready, and still serves', async () => {
    const { app, drain } = startTestApp(db);
    drain();
    expect((await app.request('/livez')).status).toBe(200);
    const response = await app.request('/readyz');
    expect(response.status).toBe(503);
    expect(await problemOf(response)).toMatchObject({ detail: 'This producer is shutting down.' });
    expect((await app.request('/create-async', { method: 'POST' })).status).toBe(202);
  });

  test('a producer whose creates would fail is live and not ready', async () => {
    const { app } = createProducer({ db }); // only the app: the start of a whole producer would end here
    await sql`DELETE FROM DBStatus`.execute(db);
    expect((await app.request('/livez')).status).toBe(200);
    expect((await app.request('/readyz')).status).toBe(500);
    await sql`INSERT INTO DBStatus (id) VALUES (0)`.execute(db);
    expect((await app.request('/readyz')).status).toBe(200);
  });

  test('a producer without its database is live and not ready', async () => {
    const gone = database.connect({ url: 'mysql://user:password@127.0.0.1:1/none', retryMs: 50 });
    const { app } = startTestApp(gone);
    expect((await app.request('/livez')).status).toBe(200);
    const response = await app.request('/readyz');
    expect(response.status).toBe(503);
    await problemOf(response);
  });
});

describe('methods', () => {
  test.each([
    ['POST', '/', 'GET, HEAD, OPTIONS'],
    ['POST', '/1', 'GET, HEAD, OPTIONS'],
    ['PUT', '/1', 'GET, HEAD, OPTIONS'],
    ['PATCH', '/1', 'GET, HEAD, OPTIONS'],
    ['DELETE', '/1', 'GET, HEAD, OPTIONS'],
    ['POST', '/livez', 'GET, HEAD, OPTIONS'],
    ['PUT', '/create-async', 'POST, OPTIONS'],
    ['DELETE', '/create-sync', 'POST, OPTIONS'],
  ])('%s %s is refused with what is allowed: %s', async (method, path, allowed) => {
    await expectRefused(method, path, allowed);
  });

  test.each([
    ['GET', '/create-async'],
    ['GET', '/create-sync'],
    ['HEAD', '/create-async'],
    ['HEAD', '/create-sync'],
  ])('%s %s is refused with what is allowed', async (method, path) => {
    await expectRefused(method, path, 'POST, OPTIONS');
  });

  async function expectRefused(method: string, path: string, allowed: string): Promise<void> {
    const { app } = startTestApp(db);
    await createEvents(db, [{}]);
    const response = await app.request(path, { method });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe(allowed);
    if (method !== 'HEAD') await problemOf(response);
    expect(await countEvents(db)).toBe(1);
    expect(await findEvent(db, 1)).toEqual({ id: 1, kind: 'word', valor: null, status: 'pending' });
  }

  test.each([
    ['/', 'GET, HEAD, OPTIONS'],
    ['/1', 'GET, HEAD, OPTIONS'],
    ['/create-async', 'POST, OPTIONS'],
    ['/create-sync', 'POST, OPTIONS'],
  ])('OPTIONS %s tells the methods and creates nothing', async (path, allowed) => {
    const { app } = startTestApp(db);
    const response = await app.request(path, { method: 'OPTIONS' });
    expect(response.status).toBe(204);
    expect(response.headers.get('allow')).toBe(allowed);
    expect(await countEvents(db)).toBe(0);
  });

  test.each([
    ['/', 200],
    ['/1', 200],
    ['/2', 404],
    ['/x', 400],
  ])('HEAD %s answers as GET does, without a body', async (path, status) => {
    const { app } = startTestApp(db);
    await createEvents(db, [{}]);
    const [head, get] = [await app.request(path, { method: 'HEAD' }), await app.request(path)];
    expect([head.status, get.status]).toEqual([status, status]);
    expect(head.headers.get('content-type')).toBe(get.headers.get('content-type'));
    expect(await head.text()).toBe('');
  });

  test.each([
    ['GET', '/1/2'],
    ['GET', '/1/'],
    ['POST', '/create-async/'],
    ['POST', '/create-sync/1'],
  ])('%s %s leads nowhere: 404, and nothing is created', async (method, path) => {
    const { app } = startTestApp(db);
    const response = await app.request(path, { method });
    expect(response.status).toBe(404);
    await problemOf(response);
    expect(await countEvents(db)).toBe(0);
  });
});
