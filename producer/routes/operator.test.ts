import { hash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { DatabaseError } from '../../database/database-error.ts';
import { createEvents } from '../../database/events/create.ts';
import { countEvents, findEvent } from '../../database/events/read.ts';
import { fillEvents, giveBackEvents } from '../../database/events/settle.ts';
import { claimWords } from '../../tests/claim-words.ts';
import { connectForeignClient } from '../../tests/foreign-client.ts';
import { claimAll, fillAll, killAll, problemOf, startTestApp } from '../../tests/producer-app.ts';
import { useTestDatabase } from '../../tests/test-database.ts';
import {
  allRevivedSchema,
  deadEventsSchema,
  logSchema,
  revivedSchema,
  shownEventSchema,
} from '../openapi/operator-routes.ts';
import type { ProducerOptions } from '../producer.ts';

const database = await useTestDatabase();
const { db } = database;
/** The account that a producer has. */
const account = database.connect({ url: database.url.replace('//user:', '//producer:') });

const TOKEN = 'operators-token';
const operatorTokens = [hash('sha256', TOKEN)];
const some = (count: number) => Array.from({ length: count }, () => ({}));

/** Sends a request such as `GET /operator/dead` as an operator. */
function ask(request: string, options: Partial<ProducerOptions> = {}, token = TOKEN): Promise<Response> {
  const [method, path] = request.split(' ') as [string, string];
  const headers = { Authorization: `Bearer ${token}` };
  return Promise.resolve(startTestApp(account, { operatorTokens, ...options }).app.request(path, { method, headers }));
}

async function answerOf(response: Response): Promise<unknown> {
  expect(response.status).toBe(200);
  return response.json();
}

describe('GET /operator/dead', () => {
  test('shows the dead and no others, page by page', async () => {
    await createEvents(db, some(3));
    await killAll(db);
    await createEvents(db, some(1));
    const all = deadEventsSchema.strict().parse(await answerOf(await ask('GET /operator/dead')));
    expect(all.next).toBeNull();
    expect(all.events).toMatchObject([1, 2, 3].map((id) => ({ id, status: 'dead', lastError: 'sem palavra' })));
    const first = deadEventsSchema.parse(await answerOf(await ask('GET /operator/dead?limit=2')));
    expect(first).toMatchObject({ events: [{ id: 1 }, { id: 2 }], next: 2 });
    const second = deadEventsSchema.parse(await answerOf(await ask('GET /operator/dead?limit=2&after=2')));
    expect(second).toMatchObject({ events: [{ id: 3 }], next: null });
  });

  test.each(['limit=0', 'limit=1001', 'limit=x', 'limit=1&limit=2', 'after=-1', 'after=01', 'page=2'])(
    '?%s is refused',
    async (query) => {
      const response = await ask(`GET /operator/dead?${query}`);
      expect(response.status).toBe(400);
      expect(await problemOf(response)).toMatchObject({ detail: expect.stringContaining('from 1 to 1000') });
    },
  );
});

describe('GET /operator/log', () => {
  const answered = async (query: string) =>
    logSchema.strict().parse(await answerOf(await ask(`GET /operator/log${query}`)));

  test('shows how attempts ended, of all or of some, page by page', async () => {
    await createEvents(db, some(2));
    const [first, second] = (await claimWords(db)).claims;
    const log = { outcome: 'filled', startedAt: performance.now(), text: 'sol', key: 'm-1' } as const;
    await fillEvents(db, { claimedBy: 'a', claims: [{ ...first!, valor: 'sol', log }] });
    const failed = { outcome: 'failed', reason: 'x', delayMs: 1 } as const;
    const line = { outcome: 'failed', startedAt: performance.now(), text: 'x' } as const;
    await giveBackEvents(db, { claimedBy: 'a', claims: [{ ...second!, ...failed, log: line }] });
    const all = await answered('');
    expect(all).toMatchObject({
      lines: [
        { id: 1, outcome: 'filled', key: 'm-1' },
        { id: 2, text: 'x' },
      ],
      next: null,
    });
    const last = await answered('?limit=1');
    expect(last).toMatchObject({ lines: [{ id: 2 }], next: all.lines[1]!.line });
    expect(await answered(`?limit=1&before=${last.next}`)).toMatchObject({ lines: [{ id: 1 }] });
    expect(await answered('?id=2')).toMatchObject({ lines: [{ id: 2 }] });
    expect(await answered('?key=m-1')).toMatchObject({ lines: [{ id: 1 }] });
    expect(await answered('?key=m-2')).toEqual({ lines: [], next: null });
  });

  test.each(['limit=0', 'limit=1001', 'id=0', 'id=x', 'before=0', `key=${'k'.repeat(511)}`, 'key=a&key=b', 'page=2'])(
    '?%s is refused',
    async (query) => {
      const response = await ask(`GET /operator/log?${query}`);
      expect(response.status).toBe(400);
      expect(await problemOf(response)).toMatchObject({ detail: expect.stringContaining('id, key, limit') });
    },
  );
});

describe('GET /operator/events/{id}', () => {
  test.each([
    ['pending', async () => {}],
    ['processing', () => claimAll(db)],
    ['filled', () => fillAll(db, 'maçã')],
    ['dead', () => killAll(db)],
  ])('shows all of a %s event', async (status, bringThere) => {
    await createEvents(db, some(1));
    await bringThere();
    const event = shownEventSchema.strict().parse(await answerOf(await ask('GET /operator/events/1')));
    expect(event).toMatchObject({ id: 1, status });
    expect(event.dueAt === null).toBe(status === 'dead');
    expect(event.filledAt === null).toBe(status !== 'filled');
    expect(event.claimedBy).toBe(status === 'filled' || status === 'processing' ? 'test' : null);
  });
});

describe('POST /operator/dead/…', () => {
  test('{id}/revive revives that event alone', async () => {
    await createEvents(db, some(2));
    await killAll(db);
    expect(revivedSchema.parse(await answerOf(await ask('POST /operator/dead/2/revive')))).toEqual({ revived: 1 });
    expect(await findEvent(db, 1)).toMatchObject({ status: 'dead' });
    expect(await findEvent(db, 2)).toMatchObject({ status: 'pending' });
    const again = await ask('POST /operator/dead/2/revive');
    expect(again.status).toBe(409);
    expect(await problemOf(again)).toMatchObject({ detail: 'Only a dead event can be revived; event 2 is pending.' });
  });

  test('an event that another connection has locked is not waited for', async () => {
    await createEvents(db, some(1));
    await killAll(db);
    const stranger = await connectForeignClient(database.url);
    await stranger.beginTransaction();
    await stranger.query('SELECT id FROM Events WHERE id = 1 FOR UPDATE');
    const response = await ask('POST /operator/dead/1/revive');
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
    const detail = 'Event 1 is locked by another connection. Nothing was changed.';
    expect(await problemOf(response)).toMatchObject({ detail });
    await stranger.rollback();
    expect((await ask('POST /operator/dead/1/revive')).status).toBe(200);
  });

  describe('an event whose successor is filled', () => {
    const create = async () => {
      await createEvents(db, [{ key: 'k' }, { key: 'k' }]);
      await killAll(db);
      await fillAll(db, 'rio');
    };

    test('is revived only if that is asked for', async () => {
      await create();
      const refused = await ask('POST /operator/dead/1/revive');
      expect(refused.status).toBe(409);
      expect(await problemOf(refused)).toMatchObject({
        detail: expect.stringMatching(/^A later event with the key of event 1 is filled .*\?outOfOrder=true/),
      });
      const revived = await answerOf(await ask('POST /operator/dead/1/revive?outOfOrder=true'));
      expect(revivedSchema.parse(revived)).toEqual({ revived: 1 });
    });

    test('is left out of all, and counted', async () => {
      await create();
      const left = await answerOf(await ask('POST /operator/dead/revive?outOfOrder=false'));
      expect(allRevivedSchema.strict().parse(left)).toEqual({ revived: 0, outOfOrder: 1 });
      const all = await answerOf(await ask('POST /operator/dead/revive?outOfOrder=true'));
      expect(all).toEqual({ revived: 1, outOfOrder: 0 });
    });

    test.each(['dead/1/revive', 'dead/revive'])('%s refuses parameters that it does not know', async (path) => {
      for (const query of ['outOfOrder=1', 'out=true', 'outOfOrder=true&outOfOrder=true'])
        expect((await ask(`POST /operator/${path}?${query}`)).status).toBe(400);
    });
  });

  test('revive revives all', async () => {
    await createEvents(db, some(1_500));
    await killAll(db);
    expect(await answerOf(await ask('POST /operator/dead/revive'))).toEqual({ revived: 1_500, outOfOrder: 0 });
    expect(await answerOf(await ask('POST /operator/dead/revive'))).toEqual({ revived: 0, outOfOrder: 0 });
  });

  test.each([true, false])(
    'revive of all does not claim that nothing was changed (lost on the way: %s)',
    async (sent) => {
      const lost = new DatabaseError(new Error('lost'), sent);
      const reviveAllDead = () => Promise.reject(lost);
      const response = await ask('POST /operator/dead/revive', { reviveAllDead });
      expect(response.status).toBe(503);
      expect(response.headers.get('retry-after')).toBe('1');
      expect(await problemOf(response)).toMatchObject({ detail: expect.stringContaining('ask again') });
    },
  );

  test('{id}/revive says that it may have been done when contact was lost on the way', async () => {
    const reviveEvents = () => Promise.reject(new DatabaseError(new Error('lost'), true));
    const response = await ask('POST /operator/dead/1/revive', { reviveEvents });
    expect(await problemOf(response)).toMatchObject({
      outcome: 'unknown',
      detail: expect.not.stringContaining('event'),
    });
  });
});

test.each([
  ['GET /operator/events/7', 404, 'There is no event 7.'],
  ['POST /operator/dead/7/revive', 404, 'There is no event 7.'],
  ['GET /operator/events/01', 400, 'An id is a whole number'],
  ['POST /operator/dead/1e3/revive', 400, 'An id is a whole number'],
  ['GET /operator/dead/revive', 405, 'GET is not allowed here'],
  ['POST /operator/dead', 405, 'POST is not allowed here'],
  ['DELETE /operator/events/1', 405, 'DELETE is not allowed here'],
  ['GET /operator/nothing', 404, 'There is nothing at this path.'],
])('%s answers %i: %s', async (request, status, detail) => {
  const response = await ask(request);
  expect(response.status).toBe(status);
  expect(await problemOf(response)).toMatchObject({ detail: expect.stringContaining(detail) });
});

const ROUTES = [
  'GET /operator/dead',
  'GET /operator/events/1',
  'POST /operator/dead/1/revive',
  'POST /operator/dead/revive',
  'GET /operator/nothing',
];

test.each(ROUTES)('%s asks for an operator’s token, and a caller’s token is none', async (request) => {
  await createEvents(db, some(1));
  await killAll(db);
  const apiTokens = [hash('sha256', 'callers-token')];
  for (const token of ['callers-token', 'wrong', '']) {
    const response = await ask(request, { apiTokens }, token);
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toMatch(/^Bearer/);
    await problemOf(response);
  }
  expect(await findEvent(db, 1)).toMatchObject({ status: 'dead' });
  expect((await ask(request, { apiTokens })).status).not.toBe(401); // the operator’s alone is enough
  expect((await ask('GET /', { apiTokens })).status).toBe(401); // and opens nothing else
});

test.each(ROUTES)('%s leads nowhere unless an operator’s token is configured', async (request) => {
  await createEvents(db, some(1));
  await killAll(db);
  const response = await ask(request, { operatorTokens: [] });
  expect(response.status).toBe(404);
  expect(await problemOf(response)).toMatchObject({
    detail: expect.stringContaining('There is nothing at this path.'),
  });
  expect(await findEvent(db, 1)).toMatchObject({ status: 'dead' });
  expect(await countEvents(db)).toBe(1);
});

test('the OpenAPI document has these routes and their token where they are, and not elsewhere', async () => {
  const document = (await (await ask('GET /openapi.json')).json()) as { paths: object; components: object };
  const paths = (of: { paths: object }) => Object.keys(of.paths).filter((path) => path.startsWith('/operator'));
  expect(paths(document).toSorted()).toEqual([
    '/operator/dead',
    '/operator/dead/revive',
    '/operator/dead/{id}/revive',
    '/operator/events/{id}',
    '/operator/log',
  ]);
  expect(document.components).toMatchObject({ securitySchemes: { operator: { scheme: 'bearer' } } });
  expect(document.components).toMatchObject({ schemas: { EventDetails: {}, DeadEvents: {}, Revived: {} } });
  const without = await ask('GET /openapi.json', { operatorTokens: [] });
  expect(paths((await without.json()) as { paths: object })).toEqual([]);
});
