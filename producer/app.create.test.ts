import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { createEvents } from '../database/events/create.ts';
import { countEvents, findEvent } from '../database/events/read.ts';
import { fillAll, killAll, problemOf, startTestApp } from '../tests/producer-app.ts';
import { useTestDatabase } from '../tests/test-database.ts';

const { db } = await useTestDatabase();

const POST = { method: 'POST' };
const message = 'Event created on demand';

/** Ids of all rows; the counter must agree. */
async function createdIds(): Promise<number[]> {
  const ids = (await db.selectFrom('Events').select('id').orderBy('id').execute()).map(({ id }) => id);
  expect(await countEvents(db)).toBe(ids.at(-1) ?? 0);
  return ids;
}

describe('create-async', () => {
  test('creates an event and says which, once it is committed', async () => {
    const { app } = startTestApp(db);
    await createEvents(db, [{}]);
    const response = await app.request('/create-async', POST);
    expect(await findEvent(db, 2)).toEqual({ id: 2, kind: 'word', valor: null, status: 'pending' });
    expect(response.status).toBe(202);
    expect(response.headers.get('location')).toBe('/2');
    expect(await response.json()).toEqual({ message, id: 2 });
  });

  test.each([1, 1_000, 10_000])('creates %i events in a row when that many are asked for', async (count) => {
    const { app } = startTestApp(db);
    await createEvents(db, [{}]);
    const response = await app.request(`/create-async?count=${count}`, POST);
    expect(response.status).toBe(202);
    expect(response.headers.get('location')).toBe('/2');
    expect(await response.json()).toEqual({ message, id: 2, count });
    expect(await createdIds()).toEqual(Array.from({ length: count + 1 }, (_, index) => index + 1));
  });

  test.each([
    ...'count=0 count=-1 count=1e3 count=10001 count=abc count= count count=1.5 count=01 count=99999'.split(' '),
    ...'count=%2B5 count=5%20 count=5%0a count=%ZZ count=1&count=1 count=5&count= count[]=5'.split(' '),
    ...'Count=5 n=5 count=5&n=5 __proto__=5 count=5&constructor=5'.split(' '),
  ])('?%s is refused with the range, and nothing is created', async (query) => {
    const { app } = startTestApp(db);
    const response = await app.request(`/create-async?${query}`, POST);
    expect(response.status).toBe(400);
    const detail = 'The only parameter is count, once, from 1 to 10000.';
    expect(await problemOf(response)).toMatchObject({ detail });
    expect(await createdIds()).toEqual([]);
  });
});

describe('create-sync', () => {
  test('is held until the event is filled, and then answers with the word', async () => {
    const { app, waiting } = startTestApp(db);
    let answered = false;
    const answer = Promise.resolve(app.request('/create-sync', POST)).finally(() => {
      answered = true;
    });
    await expect.poll(waiting).toBe(1);
    expect(await findEvent(db, 1)).toMatchObject({ status: 'pending' });
    expect(answered).toBe(false);
    await fillAll(db, 'palavra');
    const response = await answer;
    expect(response.status).toBe(201);
    expect(response.headers.get('location')).toBe('/1');
    expect(response.headers.get('preference-applied')).toBeNull();
    expect(await response.json()).toEqual({ id: 1, kind: 'word', valor: 'palavra', status: 'filled' });
    expect(waiting()).toBe(0);
  });

  test('gives each of many callers the word of an event of its own', async () => {
    const { app, waiting } = startTestApp(db);
    const answers = Array.from({ length: 100 }, async () => (await app.request('/create-sync', POST)).json());
    await expect.poll(waiting).toBe(100);
    await sql`UPDATE Events SET valor = CONCAT('palavra ', id)`.execute(db);
    const events = (await Promise.all(answers)) as { id: number; valor: string }[];
    expect(new Set(events.map(({ id }) => id)).size).toBe(100);
    for (const { id, valor } of events) expect(valor).toBe(`palavra ${id}`);
  });

  test('answers 502 with the id when the event dies', async () => {
    const { app, waiting } = startTestApp(db);
    const answer = app.request('/create-sync', POST);
    await expect.poll(waiting).toBe(1);
    await killAll(db);
    const response = await answer;
    expect(response.status).toBe(502);
    expect(response.headers.get('location')).toBe('/1');
    expect(await problemOf(response)).toMatchObject({
      id: 1,
      detail: expect.stringMatching(/^All attempts of event 1 failed/),
    });
  });

  test('answers 410 with the id when somebody deletes the event, also to a repeat with its key', async () => {
    const { app, waiting } = startTestApp(db);
    const withKey = { ...POST, headers: { 'Idempotency-Key': 'k' } };
    const answer = app.request('/create-sync', withKey);
    await expect.poll(waiting).toBe(1);
    await db.deleteFrom('Events').execute();
    for (const response of [await answer, await app.request('/create-sync', withKey)]) {
      expect(response.status).toBe(410);
      expect(await problemOf(response)).toMatchObject({ id: 1, detail: 'Event 1 was deleted before it was filled.' });
    }
  });

  test.each(['count=1', 'x', '__proto__=1'])(
    'has no parameters: ?%s is refused, and nothing is created',
    async (query) => {
      const { app } = startTestApp(db);
      const response = await app.request(`/create-sync?${query}`, POST);
      expect(response.status).toBe(400);
      await problemOf(response);
      expect(await createdIds()).toEqual([]);
    },
  );

  test('stops waiting when the client leaves, and the event stays', async () => {
    const { app, waiting } = startTestApp(db);
    const client = new AbortController();
    const answer = app.request('/create-sync', { ...POST, signal: client.signal });
    await expect.poll(waiting).toBe(1);
    client.abort();
    expect(waiting()).toBe(0);
    await answer;
    await fillAll(db, 'fica');
    expect(await findEvent(db, 1)).toEqual({ id: 1, kind: 'word', valor: 'fica', status: 'filled' });
  });

  test('does not wait for a client that left before its event was committed', async () => {
    const { app, waiting } = startTestApp(db);
    const client = new AbortController();
    const answer = app.request('/create-sync', { ...POST, signal: client.signal });
    client.abort();
    await answer;
    expect(waiting()).toBe(0);
    expect(await createdIds()).toEqual([1]);
  });
});

describe('create-sync with Prefer: wait', () => {
  const ask = (prefer: string) => ({ ...POST, headers: { Prefer: prefer } });

  test('answers 202 with the id when the event is not filled in time', async () => {
    const { app, waiting } = startTestApp(db);
    const startedAt = performance.now();
    const response = await app.request('/create-sync', ask('respond-async, wait=1'));
    expect(performance.now() - startedAt).toBeGreaterThan(990);
    expect(response.status).toBe(202);
    expect(response.headers.get('location')).toBe('/1');
    expect(response.headers.get('preference-applied')).toBe('wait=1');
    expect(await response.json()).toEqual({ message, id: 1 });
    expect(waiting()).toBe(0);
  });

  test('answers 201 when the event is filled in time', async () => {
    const { app, waiting } = startTestApp(db);
    const answer = app.request('/create-sync', ask('wait=600'));
    await expect.poll(waiting).toBe(1);
    await fillAll(db, 'cedo');
    const response = await answer;
    expect(response.status).toBe(201);
    expect(response.headers.get('preference-applied')).toBe('wait=600');
  });

  test.each(['wait=-1', 'wait=abc', 'wait', 'wait=', 'wait=1.5', 'respond-async', ';;,,='])(
    'ignores what is malformed or means nothing here: %s',
    async (prefer) => {
      const { app, waiting } = startTestApp(db);
      const answer = app.request('/create-sync', ask(prefer));
      await expect.poll(waiting).toBe(1);
      await fillAll(db, 'sim');
      const response = await answer;
      expect(response.status).toBe(201);
      expect(response.headers.get('preference-applied')).toBeNull();
    },
  );

  test('waits for as long as it is asked to, also for years', async () => {
    const { app } = startTestApp(db);
    const answer = app.request('/create-sync', ask('wait=999999999'));
    await expect.poll(() => findEvent(db, 1)).toBeDefined();
    await fillAll(db, 'paciência');
    expect((await answer).status).toBe(201);
  });
});

describe('when too many wait', () => {
  test('a further create-sync is refused with nothing created, and one is let in when a place is free', async () => {
    const { app, waiting } = startTestApp(db, { heldRequestLimit: 1 });
    const answer = app.request('/create-sync', POST);
    await expect.poll(waiting).toBe(1);
    const refused = await app.request('/create-sync', POST);
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(await problemOf(refused)).toMatchObject({ detail: expect.stringContaining('did nothing') });
    expect(await createdIds()).toEqual([1]);
    await fillAll(db, 'livre');
    expect((await answer).status).toBe(201);
    expect((await app.request('/create-sync', { ...POST, headers: { Prefer: 'wait=0' } })).status).toBe(202);
  });

  test('no more are held than the limit says when they all arrive at once', async () => {
    const { app, waiting } = startTestApp(db, { heldRequestLimit: 2 });
    const answers = Array.from({ length: 5 }, async () => (await app.request('/create-sync', POST)).status);
    await expect.poll(waiting).toBeGreaterThan(0);
    const held = waiting();
    await fillAll(db, 'livre');
    const statuses = await Promise.all(answers);
    expect(held).toBe(2);
    expect(statuses.toSorted((a, b) => a - b)).toEqual([201, 201, 503, 503, 503]);
  });
});
