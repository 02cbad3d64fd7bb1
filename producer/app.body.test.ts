import { describe, expect, test } from 'vitest';
import { createEvents } from '../database/events/create.ts';
import { countEvents } from '../database/events/read.ts';
import { problemOf, startTestApp } from '../tests/producer-app.ts';
import { useTestDatabase } from '../tests/test-database.ts';

/** What a create may carry. The headers are those with which node:http hands a body over. */

const { db } = await useTestDatabase();

const PREFER = { Prefer: 'wait=0' }; // so that create-sync answers at once
const JSON_TYPE = { 'Content-Type': 'application/json' };

interface Sent {
  body?: string | ReadableStream<Uint8Array>;
  headers?: Record<string, string>;
}

const withLength = (body: string, headers: Record<string, string> = JSON_TYPE): Sent => ({
  body,
  headers: { 'Content-Length': String(Buffer.byteLength(body)), ...headers },
});

/** In pieces, and without a length beforehand. */
const chunked = (pieces: string[], headers: Record<string, string> = JSON_TYPE): Sent => ({
  body: ReadableStream.from(pieces.map((piece) => new TextEncoder().encode(piece))),
  headers: { 'Transfer-Encoding': 'chunked', ...headers },
});

async function post(path: string, { body, headers = {} }: Sent): Promise<Response> {
  const { app } = startTestApp(db);
  return app.request(path, {
    method: 'POST',
    headers: { ...PREFER, ...headers },
    ...(body === undefined ? {} : { body, duplex: 'half' }),
  });
}

const padded = (bytes: number) => `{${' '.repeat(bytes - 2)}}`;

describe.each([
  ['/create-async', 8_388_608],
  ['/create-sync', 69_632], // a payload of 64 kB and 4 kB around it
])('POST %s', (path, limit) => {
  test.each<[string, () => Sent]>([
    ['no body', () => ({})],
    ['no body, with a content type', () => ({ headers: { 'Content-Type': 'text/plain' } })],
    ['an empty body', () => withLength('')],
    ['an empty body with a content type and encoding', () => withLength('', { 'Content-Encoding': 'gzip' })],
    ['an empty body in no chunks', () => chunked([])],
    ['an empty object', () => withLength('{}')],
    ['an empty object in chunks', () => chunked([' {', '} '])],
    ['an empty object with a charset', () => withLength('{}', { 'Content-Type': 'Application/JSON; charset=utf-8' })],
    ['a Request of this process, without a length', () => ({ body: '{}', headers: JSON_TYPE })],
    ['exactly as much as the limit', () => withLength(padded(limit))],
    ['as much in chunks', () => chunked([padded(limit).slice(0, 1_000), padded(limit).slice(1_000)])],
  ])('takes %s', async (_, sent) => {
    const response = await post(path, sent());
    expect(response.status).toBe(202);
    expect(await countEvents(db)).toBe(1);
  });

  test.each<[number, string, () => Sent]>([
    [415, 'text', () => withLength('{}', { 'Content-Type': 'text/plain' })],
    [415, 'a form', () => withLength('a=b', { 'Content-Type': 'application/x-www-form-urlencoded' })],
    [415, 'a type that only begins like JSON', () => withLength('{}', { 'Content-Type': 'application/jsonp' })],
    [415, 'JSON that does not say so', () => withLength('{}', {})],
    [415, 'something packed', () => withLength('{}', { ...JSON_TYPE, 'Content-Encoding': 'gzip' })],
    [415, 'something packed in chunks', () => chunked(['{}'], { ...JSON_TYPE, 'Content-Encoding': 'gzip' })],
    [413, 'one byte over the limit', () => withLength(padded(limit + 1))],
    [
      413,
      'too much by its length alone',
      () => ({ body: '{}', headers: { ...JSON_TYPE, 'Content-Length': String(limit + 1) } }),
    ],
    [413, 'too much in chunks', () => chunked(Array.from({ length: 9 }, () => ' '.repeat(limit / 8)))],
    [413, 'too much in chunks with a small length', () => lying(limit)],
    [413, 'too much text', () => withLength('x'.repeat(limit + 1), { 'Content-Type': 'text/plain' })],
    ...['{', '}', '{]', '{"x":}', "{'x':1}", 'x', '{}{}', '[', ' ', '\0'].map((text): [number, string, () => Sent] => [
      400,
      `broken JSON ${JSON.stringify(text)}`,
      () => withLength(text),
    ]),
    [400, 'broken JSON in chunks', () => chunked(['{', '"'])],
    ...['null', '[]', '[{}]', '0', '"{}"', 'true', '{"x":1}', '{"valor":"minha"}', '{"id":1}', '{"":{}}'].map(
      (text): [number, string, () => Sent] => [422, text, () => withLength(text)],
    ),
    ...[
      '{"__proto__":{}}',
      '{"__proto__":{"bad":1}}',
      '{"__proto__":null}',
      '{"constructor":{"prototype":{"bad":1}}}',
    ].map((text): [number, string, () => Sent] => [422, text, () => withLength(text)]),
    [422, 'a deeply nested list', () => withLength('['.repeat(2_000) + ']'.repeat(2_000))],
    [422, 'a deeply nested object', () => withLength('{"x":'.repeat(600) + '1' + '}'.repeat(600))],
  ])('answers %i to %s, and creates nothing', async (status, _, sent) => {
    const response = await post(path, sent());
    expect(response.status).toBe(status);
    await problemOf(response);
    expect(await countEvents(db)).toBe(0);
    expect('bad' in {}).toBe(false);
  });
});

function lying(limit: number): Sent {
  const sent = chunked(['{', ' '.repeat(limit), '}']);
  return { ...sent, headers: { ...sent.headers, 'Content-Length': '2' } };
}

test('a body that is too long is not read to its end', async () => {
  let pieces = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      pieces++;
      controller.enqueue(new Uint8Array(1_024).fill(32));
    },
  });
  const response = await post('/create-sync', { body, headers: { ...JSON_TYPE, 'Transfer-Encoding': 'chunked' } });
  expect(response.status).toBe(413);
  expect(pieces).toBeLessThan(80);
});

test('what a read carries in its query or headers is not looked at', async () => {
  await createEvents(db, [{}]);
  const { app } = startTestApp(db);
  const response = await app.request('/1?valor=x', { headers: { ...JSON_TYPE, Prefer: 'wait=1' } });
  expect(response.status).toBe(200);
});
