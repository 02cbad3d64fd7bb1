import { describe, expect, test } from 'vitest';
import { countEvents } from '../database/events/read.ts';
import { loseFirstAnswer } from '../tests/first-answer.ts';
import { fillAll, killAll, problemOf, startTestApp } from '../tests/producer-app.ts';
import { useTestDatabase } from '../tests/test-database.ts';
import { createBatcher } from './create-batcher.ts';

const database = await useTestDatabase();
const { db } = database;

const withKey = (key: string) => ({ method: 'POST', headers: { 'Idempotency-Key': key } });

describe('Idempotency-Key on create-async', () => {
  test('gives the same answer for the same key, and creates once', async () => {
    const { app } = startTestApp(db);
    const first = await app.request('/create-async', withKey('order-17'));
    const again = await app.request('/create-async', withKey('order-17'));
    expect([first.status, again.status]).toEqual([202, 202]);
    expect(again.headers.get('location')).toBe('/1');
    expect(await again.json()).toEqual(await first.json());
    expect(await countEvents(db)).toBe(1);
  });

  test('gives the same events whichever producer is asked, however many ask at once', async () => {
    const producers = [startTestApp(database.connect()), startTestApp(database.connect())];
    const answers = await Promise.all(
      Array.from({ length: 50 }, async (_, index) =>
        producers[index % 2]!.app.request('/create-async?count=3', withKey('k')),
      ),
    );
    const bodies = await Promise.all(answers.map((answer) => answer.json()));
    expect(new Set(bodies.map((body) => JSON.stringify(body)))).toEqual(
      new Set([JSON.stringify({ message: 'Event created on demand', id: 1, count: 3 })]),
    );
    expect(await countEvents(db)).toBe(3);
  });

  test('creates for each key and for each create without one when they arrive together', async () => {
    const { app } = startTestApp(db);
    const answers = await Promise.all([
      app.request('/create-async', withKey('a')),
      app.request('/create-async', { method: 'POST' }),
      app.request('/create-async', withKey('a')),
      app.request('/create-async', withKey('b')),
      app.request('/create-async', { method: 'POST' }),
    ]);
    const ids = (await Promise.all(answers.map((answer) => answer.json() as Promise<{ id: number }>))).map(
      ({ id }) => id,
    );
    expect(ids[0]).toBe(ids[2]);
    expect(new Set(ids)).toEqual(new Set([1, 2, 3, 4]));
    expect(await countEvents(db)).toBe(4);
  });

  test('refuses the key for another number of events with 422, and creates nothing', async () => {
    const { app } = startTestApp(db);
    await app.request('/create-async?count=5', withKey('k'));
    const response = await app.request('/create-async?count=6', withKey('k'));
    expect(response.status).toBe(422);
    expect(await problemOf(response)).toMatchObject({ detail: expect.stringContaining('another number') });
    const [one, two] = await Promise.all([
      app.request('/create-async?count=2', withKey('fresh')),
      app.request('/create-async?count=3', withKey('fresh')),
    ]);
    expect([one.status, two.status]).toEqual([202, 422]);
    expect(await countEvents(db)).toBe(7);
  });

  test('finds out by the key what became of a create whose answer was lost', async () => {
    const { app } = startTestApp(db, {
      createEvents: createBatcher({ db: loseFirstAnswer(database.connect(), 'create_events_by_key('), ...LIMITS }),
    });
    const response = await app.request('/create-async', withKey('k'));
    expect(response.status).toBe(202);
    expect(await response.json()).toMatchObject({ id: 1 });
    expect(await countEvents(db)).toBe(1);
  });

  test('leaves the outcome of others unknown who had no key, and creates nothing twice', async () => {
    const { app } = startTestApp(db, {
      createEvents: createBatcher({ db: loseFirstAnswer(database.connect(), 'create_events('), ...LIMITS }),
    });
    const [plain, keyed] = await Promise.all([
      app.request('/create-async', { method: 'POST' }),
      app.request('/create-async', withKey('k')),
    ]);
    expect(plain.status).toBe(503);
    expect(await problemOf(plain)).toMatchObject({ outcome: 'unknown' });
    expect(keyed.status).toBe(202);
    expect(await countEvents(db)).toBe(2);
  });
});

const LIMITS = { maxRequests: 1_000, maxQueued: 50_000 };

describe('Idempotency-Key on create-sync', () => {
  test('waits for the same event as the request before, also while that one is still held', async () => {
    const { app, waiting } = startTestApp(db);
    const answers = [app.request('/create-sync', withKey('k')), app.request('/create-sync', withKey('k'))];
    await expect.poll(waiting).toBe(2);
    await fillAll(db, 'mesma');
    const later = app.request('/create-sync', withKey('k'));
    for (const answer of await Promise.all([...answers, later])) {
      expect(answer.status).toBe(201);
      expect(await answer.json()).toEqual({ id: 1, kind: 'word', valor: 'mesma', status: 'filled' });
    }
    expect(await countEvents(db)).toBe(1);
  });

  test('gives the event that create-async made under the key', async () => {
    const { app } = startTestApp(db);
    await app.request('/create-async', withKey('k'));
    await fillAll(db, 'sim');
    expect(await (await app.request('/create-sync', withKey('k'))).json()).toMatchObject({ id: 1, valor: 'sim' });
  });

  test('answers 502 again for an event that died', async () => {
    const { app, waiting } = startTestApp(db);
    const first = app.request('/create-sync', withKey('k'));
    await expect.poll(waiting).toBe(1);
    await killAll(db);
    expect((await first).status).toBe(502);
    expect((await app.request('/create-sync', withKey('k'))).status).toBe(502);
    expect(await countEvents(db)).toBe(1);
  });
});

describe.each(['/create-async', '/create-sync'])('an Idempotency-Key that cannot be kept exactly, on %s', (path) => {
  test.each([
    ['empty', ''],
    ['too long', 'k'.repeat(256)],
    ['with a space', 'a b'],
    ['given twice', 'a, b'],
    ['with a control character', 'a\tb'],
    ['beyond ASCII', 'chav\u00e9'],
  ])('is refused: %s', async (_, key) => {
    const { app } = startTestApp(db);
    const response = await app.request(path, withKey(key));
    expect(response.status).toBe(400);
    expect(await problemOf(response)).toMatchObject({ detail: expect.stringContaining('Idempotency-Key') });
    expect(await countEvents(db)).toBe(0);
  });
});
