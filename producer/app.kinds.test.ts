import { assert, asyncProperty, jsonValue } from 'fast-check';
import { sql } from 'kysely';
import { describe, expect, onTestFinished, test } from 'vitest';
import { addKinds } from '../database/events/kinds.ts';
import { countEvents } from '../database/events/read.ts';
import { claimAll, fillAll, killAll, problemOf, startTestApp } from '../tests/producer-app.ts';
import { useTestDatabase } from '../tests/test-database.ts';

/** Events of any kind, with a payload, a key and a delay. */

const { db } = await useTestDatabase();
const message = 'Event created on demand';

const post = (body: unknown, headers: Record<string, string> = {}) => {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const length = String(Buffer.byteLength(text));
  return {
    method: 'POST',
    body: text,
    headers: { 'Content-Type': 'application/json', 'Content-Length': length, ...headers },
  };
};

async function payloads(): Promise<(string | null)[]> {
  const rows = await db.selectFrom('EventPayloads').select('payload').orderBy('id').execute();
  return rows.map(({ payload }) => payload);
}

/** How many ms after its creation each event is due. */
async function delays(): Promise<number[]> {
  const { rows } = await sql<{ ms: number }>`
    SELECT TIMESTAMPDIFF(MICROSECOND, created_at, due_at) DIV 1000 AS ms FROM Events ORDER BY id`.execute(db);
  return rows.map(({ ms }) => ms);
}

describe('a create with a body', () => {
  test.each(['/create-async', '/create-sync'])(
    '%s makes an event of that kind, payload, key and delay',
    async (path) => {
      const { app } = startTestApp(db);
      const event = { kind: 'email', payload: { to: 'ana@example.org' }, key: 'client-5', delayMs: 0 };
      const response = await app.request(path, post(event, { Prefer: 'wait=0' }));
      expect(response.status).toBe(202);
      expect(await response.json()).toEqual({ message, id: 1 });
      expect(await (await app.request('/1')).text()).toBe('{"id":1,"kind":"email","valor":null,"status":"pending"}');
      expect(await claimAll(db, 'email')).toMatchObject([
        { id: 1, key: 'client-5', payload: '{"to":"ana@example.org"}' },
      ]);
    },
  );

  test('is due after its delay', async () => {
    const { app } = startTestApp(db);
    await app.request('/create-async', post({ delayMs: 31_536_000_000 }));
    await app.request('/create-async', post({ kind: 'email', delayMs: 10_000 }));
    expect(await delays()).toEqual([31_536_000_000, 10_000]);
    expect(await claimAll(db)).toEqual([]);
  });

  test('makes as many equal events as count says', async () => {
    const { app } = startTestApp(db);
    const response = await app.request('/create-async?count=3', post('{"kind":"email","payload":[1, 2]}'));
    expect(await response.json()).toEqual({ message, id: 1, count: 3 });
    expect((await claimAll(db, 'email')).map(({ payload }) => payload)).toEqual(['[1, 2]', '[1, 2]', '[1, 2]']);
  });

  test('refuses equal events that would be larger together than a list may be', async () => {
    const { app } = startTestApp(db);
    const response = await app.request('/create-async?count=10000', post({ payload: 'x'.repeat(1_000) }));
    expect(response.status).toBe(413);
    expect(await problemOf(response)).toMatchObject({ detail: expect.stringContaining('8388608 bytes') });
    expect(await countEvents(db)).toBe(0);
  });

  test.each(
    [
      '{"b":1,"a":2,"10":3,"2":4}',
      '{"n":12345678901234567890,"m":1.0,"e":1E+2,"z":-0}',
      '{"a":1,"a":{"b":2,"b":3}}',
      '"\\u0061\\/\\ud800\\u0000"',
      '"\u2028ção 😀 \\\\\\""',
      '{ "spaces" :\n\t[ 1 , 2 ] }',
      '{"payload":{"payload":"}"}}',
      'null',
      '""',
      `${'['.repeat(10_000)}${']'.repeat(10_000)}`,
    ].map((payload) => [short(payload), payload]),
  )('keeps the payload as it was sent: %s', async (_, payload) => {
    const { app } = startTestApp(db);
    await app.request('/create-async', post(`{"kind":"email", "p\\u0061yload" : ${payload} }`));
    await app.request(
      '/create-async',
      post(`{"events":[{"payload":0,"payload":${payload}},{"payload":\r\n${payload}}]}`),
    );
    expect(await payloads()).toEqual([payload, payload, payload]);
  });

  test('keeps any payload as it was sent', async () => {
    const { app } = startTestApp(db);
    await assert(
      asyncProperty(jsonValue(), async (value) => {
        await sql`DELETE FROM EventPayloads`.execute(db);
        const payload = JSON.stringify(value, null, 1);
        await app.request('/create-async', post(`{"payload":${payload}}`));
        expect(await payloads()).toEqual([payload]);
      }),
      { numRuns: 50 },
    );
  });

  test('takes a payload of exactly the limit, also nested as deep as that', async () => {
    const { app } = startTestApp(db);
    const deep = '['.repeat(32_768) + ']'.repeat(32_768);
    for (const payload of [JSON.stringify('é'.repeat(32_767)), deep]) {
      expect((await app.request('/create-async', post(`{"payload":${payload}}`))).status).toBe(202);
      expect((await payloads()).at(-1)).toBe(payload);
    }
  });
});

describe('a list of events', () => {
  test('is created in one transaction, with ids that follow each other', async () => {
    const { app } = startTestApp(db);
    const events = [{ kind: 'email', payload: 1 }, {}, { key: 'k' }, { kind: 'report', delayMs: 5 }];
    const response = await app.request('/create-async', post({ events }));
    expect(response.status).toBe(202);
    expect(response.headers.get('location')).toBe('/1');
    expect(await response.json()).toEqual({ message, id: 1, count: 4 });
    const kinds = await Promise.all([1, 2, 3, 4].map(async (id) => (await app.request(`/${id}`)).json()));
    expect(kinds).toMatchObject(['email', 'word', 'word', 'report'].map((kind) => ({ kind })));
  });

  test('has up to 10,000 of them, and is told its count also when it has one', async () => {
    const { app } = startTestApp(db);
    const events = Array.from({ length: 10_000 }, (_, n) => ({ kind: 'email', payload: { n } }));
    expect(await (await app.request('/create-async', post({ events }))).json()).toMatchObject({ count: 10_000 });
    expect(await (await app.request('/create-async', post({ events: [{}] }))).json()).toMatchObject({ count: 1 });
    expect(await countEvents(db)).toBe(10_001);
    expect((await payloads()).at(-1)).toBe('{"n":9999}');
  });

  test('of 8 MB is created, whatever its payloads are', async () => {
    const { app } = startTestApp(db);
    const payload = JSON.stringify(Array(13_000).fill('"')); // nearly each character would be escaped on the way
    const body = `{"events":[${Array(123).fill(`{"payload":${payload}}`).join()}]}`;
    expect(Buffer.byteLength(body)).toBeGreaterThan(7_900_000);
    expect((await app.request('/create-async', post(body))).status).toBe(202);
    expect(new Set(await payloads())).toEqual(new Set([payload]));
  });

  test('with an Idempotency-Key is created once', async () => {
    const { app } = startTestApp(db);
    const request = post({ events: [{ kind: 'email', payload: 1 }, {}] }, { 'Idempotency-Key': 'k' });
    const answers = [await app.request('/create-async', request), await app.request('/create-async', request)];
    for (const answer of answers) expect(await answer.json()).toEqual({ message, id: 1, count: 2 });
    expect(await countEvents(db)).toBe(2);
  });
});

/** What stands in a test's name instead of a long text. */
const short = (text: string) => (text.length > 60 ? `${text.slice(0, 40)}… (${text.length})` : text);

const EVENT_RULE = 'kind, payload, key and delayMs';
const KIND_RULE = 'kind must be 1 to 64 characters of a-z, 0-9';
const KEY_RULE = 'key must be 1 to 255 characters';
const DELAY_RULE = 'delayMs must be a whole number of milliseconds, 0 to 31536000000';

/** Of one event: what is wrong with it, and what the answer says of that. */
const REFUSED: [event: string, status: number, says: string][] = [
  ...['Bad Kind', 'é', '', '1a', '-a', 'Word', 'a'.repeat(65), 'a\n', 'word '].map((kind): [string, number, string] => [
    JSON.stringify({ kind }),
    422,
    KIND_RULE,
  ]),
  ...['1', 'null', '["email"]', '{}', 'true'].map((kind): [string, number, string] => [
    `{"kind":${kind}}`,
    422,
    KIND_RULE,
  ]),
  ...['""', 'null', '5', `"${'k'.repeat(256)}"`, '"a\\u0000"', '"a\\n"', '"\\u0085"', '"\\ud800"'].map(
    (key): [string, number, string] => [`{"key":${key}}`, 422, KEY_RULE],
  ),
  ...['-1', '1e99', '"5"', '1.5', 'null', '31536000001', '1e-7', '[1]'].map((delay): [string, number, string] => [
    `{"delayMs":${delay}}`,
    422,
    DELAY_RULE,
  ]),
  ['{"kind":"email","priority":1}', 422, 'the unknown member "priority"'],
  ['{"valor":"x"}', 422, EVENT_RULE],
  ['{"kind":"email","__proto__":{"bad":1}}', 422, 'the unknown member "__proto__"'],
  ['{"trace":"x"}', 422, 'the unknown member "trace"'],
  ['[]', 422, EVENT_RULE],
  ['"email"', 422, EVENT_RULE],
  ['null', 422, EVENT_RULE],
  [`{"payload":"${'x'.repeat(65_535)}"}`, 413, 'payload has 65537 bytes of JSON, and at most 65536'],
  [`{"payload":"${'é'.repeat(32_768)}"}`, 413, 'payload has 65538 bytes'],
];

describe('what is refused', () => {
  const named = REFUSED.map(([event, status, says]) => [short(event), status, event, says] as const);

  test.each(named)('%s is answered %i', async (_, status, event, says) => {
    const { app } = startTestApp(db);
    for (const path of ['/create-async', '/create-sync', '/create-async?count=2']) {
      const response = await app.request(path, post(event));
      expect(response.status).toBe(status);
      expect(await problemOf(response)).toMatchObject({ detail: expect.stringContaining(says) });
    }
    expect(await countEvents(db)).toBe(0);
    expect('bad' in {}).toBe(false);
  });

  test.each(named)('%s among many is named by its place', async (_, status, event, says) => {
    const { app } = startTestApp(db);
    const events = [...Array<string>(17).fill('{}'), event, '{"kind":"Bad"}'];
    const response = await app.request('/create-async', post(`{"events":[${events.join()}]}`));
    expect(response.status).toBe(status === 413 ? 422 : status); // the other one is found before
    const { detail } = await problemOf(response);
    if (status === 413) expect(detail).toContain('events[18].kind');
    else expect(detail).toMatch(/^events\[17\][ .]/);
    if (status !== 413) expect(detail).toContain(says);
    expect(await countEvents(db)).toBe(0);
  });

  test('a payload that is too large is named by its place', async () => {
    const { app } = startTestApp(db);
    const events = [{}, { payload: 'x'.repeat(65_535) }];
    const response = await app.request('/create-async', post({ events }));
    expect(response.status).toBe(413);
    expect(await problemOf(response)).toMatchObject({
      detail: expect.stringMatching(/^events\[1\]\.payload has 65537/),
    });
    expect(await countEvents(db)).toBe(0);
  });

  test.each(
    [
      ['{"events":[]}', 'events must be a list of 1 to 10000 events'],
      ['{"events":{}}', 'events must be a list of 1 to 10000 events'],
      ['{"events":null}', 'events must be a list of 1 to 10000 events'],
      [`{"events":[${Array(10_001).fill('{}').join()}]}`, 'events must be a list of 1 to 10000 events'],
      [`{"events":[${'1,'.repeat(2_000_000)}1]}`, 'events must be a list of 1 to 10000 events'],
      ['{"events":[{}],"kind":"email"}', 'no other member beside "events"'],
      ['{"events":[{}],"count":2}', 'no other member beside "events"'],
      ['{"count":2}', 'the unknown member "count"'],
      ['{"events":[{"events":[{}]}]}', 'events[0] has the unknown member "events"'],
    ].map(([body, says]) => [short(body!), body!, says!]),
  )('the list %s is answered 422', async (_, body, says) => {
    const { app } = startTestApp(db);
    const response = await app.request('/create-async', post(body));
    expect(response.status).toBe(422);
    expect(await problemOf(response)).toMatchObject({ detail: expect.stringContaining(says) });
    expect(await countEvents(db)).toBe(0);
  });

  test('a list and count together', async () => {
    const { app } = startTestApp(db);
    const response = await app.request('/create-async?count=1', post({ events: [{}] }));
    expect(response.status).toBe(422);
    expect(await problemOf(response)).toMatchObject({ detail: expect.stringContaining('not both') });
    expect(await countEvents(db)).toBe(0);
  });

  test('a list on create-sync, which is told where lists go', async () => {
    const { app } = startTestApp(db);
    const response = await app.request('/create-sync', post({ events: [{}] }));
    expect(response.status).toBe(422);
    expect(await problemOf(response)).toMatchObject({ detail: expect.stringContaining('POST /create-async') });
    expect(await countEvents(db)).toBe(0);
  });

  test.each([
    ['brackets', '['.repeat(100_000)],
    ['whole brackets', `${'['.repeat(100_000)}${']'.repeat(100_000)}`],
    ['a payload of brackets', `{"payload":${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
    ['a list of brackets', `{"events":[${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}]}`],
    ['objects', `{"events":[${'{"a":'.repeat(500_000)}1${'}'.repeat(500_000)}]}`],
  ])('%s nested too deep for any stack', async (_, body) => {
    const { app } = startTestApp(db);
    const response = await app.request('/create-async', post(body));
    expect([400, 413, 422]).toContain(response.status);
    await problemOf(response);
    expect(await countEvents(db)).toBe(0);
  });

  test.each(['{"payload":"\xff"}', '{"kind":"email","payload":"\xed\xa0\x80"}'])(
    'bytes that are no UTF-8: %j',
    async (bytes) => {
      const { app } = startTestApp(db);
      const request = { ...post(bytes), body: Buffer.from(bytes, 'latin1') };
      const response = await app.request('/create-async', request);
      expect(response.status).toBe(400);
      expect(await problemOf(response)).toMatchObject({ detail: expect.stringContaining('UTF-8') });
      expect(await countEvents(db)).toBe(0);
    },
  );
});

describe('the value of an event', () => {
  test.each(['{"b":1,"a":12345678901234567890}', 'null', '"texto"', '[ 1.0 ]', 'false', '0', '""', '{"a":1,"a":2}'])(
    'is answered as its handler wrote it: %s',
    async (valor) => {
      const { app, waiting } = startTestApp(db);
      const answer = app.request('/create-sync', post({ kind: 'email' }));
      await expect.poll(waiting).toBe(1);
      await fillAll(db, valor, 'email');
      const response = await answer;
      expect(response.status).toBe(201);
      const text = `{"id":1,"kind":"email","valor":${valor},"status":"filled"}`;
      expect(await response.text()).toBe(text);
      expect(await (await app.request('/1')).text()).toBe(text);
      expect(await (await app.request('/1', { headers: { Prefer: 'wait=1' } })).text()).toBe(text);
    },
  );

  test.each(['null', '"', '{"a":1}', 'ação', '\\'])(
    'of a word is a text, whatever it looks like: %s',
    async (valor) => {
      const { app } = startTestApp(db);
      await app.request('/create-async', post('{"kind":"word"}'));
      await fillAll(db, valor);
      expect(await (await app.request('/1')).json()).toEqual({ id: 1, kind: 'word', valor, status: 'filled' });
    },
  );
});

describe('create-sync of an event that dies', () => {
  test('says why where its handler said it', async () => {
    const { app, waiting } = startTestApp(db);
    const answer = app.request('/create-sync', post({ kind: 'payment' }));
    await expect.poll(waiting).toBe(1);
    await killAll(db, 'payment', 'the card was declined');
    const response = await answer;
    expect(response.status).toBe(502);
    expect(await problemOf(response)).toMatchObject({
      id: 1,
      detail: expect.stringContaining('the card was declined'),
    });
    expect(await (await app.request('/1')).text()).toBe('{"id":1,"kind":"payment","valor":null,"status":"dead"}');
  });

  test('says nothing of an attempt that failed', async () => {
    const { app, waiting } = startTestApp(db);
    const answer = app.request('/create-sync', post({ kind: 'payment' }));
    await expect.poll(waiting).toBe(1);
    await killAll(db, 'payment');
    const text = await (await answer).text();
    expect(text).toContain('All attempts of event 1 failed');
    expect(text).not.toContain('sem palavra');
  });
});

test('of two creates with one Idempotency-Key and other contents, the first decides', async () => {
  const { app } = startTestApp(db);
  const withKey = (body: unknown) => app.request('/create-async', post(body, { 'Idempotency-Key': 'k' }));
  const answers = await Promise.all([
    withKey({ kind: 'email', payload: 1 }),
    withKey({ kind: 'report', payload: 2 }),
    withKey({ events: [{}, {}] }),
  ]);
  const repeat = await withKey({ kind: 'other' });
  expect([...answers, repeat].map(({ status }) => status)).toEqual([202, 202, 422, 202]);
  for (const answer of [answers[0], answers[1], repeat]) expect(await answer.json()).toMatchObject({ id: 1 });
  expect(await countEvents(db)).toBe(1);
  expect(await claimAll(db, 'email')).toMatchObject([{ payload: '1' }]);
});

describe('when there are 1,000 kinds', () => {
  test('a further one is refused, and nobody who creates at the same moment', async () => {
    const { app } = startTestApp(db);
    onTestFinished(async () => {
      await sql`DELETE FROM Events`.execute(db);
      await sql`DELETE FROM Kinds WHERE id > 1`.execute(db);
    });
    await sql`DELETE FROM Kinds WHERE id > 1`.execute(db);
    await addKinds(db, ['email', ...Array.from({ length: 998 }, (_, n) => `kind-${n}`)]);
    const asked = ['email', 'new', 'word', 'kind-7', 'another', 'email'];
    const answers = await Promise.all(asked.map(async (kind) => app.request('/create-async', post({ kind }))));
    expect(answers.map(({ status }) => status)).toEqual([202, 422, 202, 202, 422, 202]);
    expect(await problemOf(answers[1]!)).toMatchObject({
      detail: 'There are 1,000 kinds already; a kind is a sort of work, not an id. Nothing was created.',
    });
    const keyed = asked.map(async (kind) => app.request('/create-async', post({ kind }, { 'Idempotency-Key': kind })));
    expect((await Promise.all(keyed)).map(({ status }) => status)).toEqual([202, 422, 202, 202, 422, 202]);
    expect(await countEvents(db)).toBe(7);
  });
});
