import { createHmac } from 'node:crypto';
import type { IncomingHttpHeaders, RequestListener } from 'node:http';
import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { handlerEvent, UNABORTED } from '../tests/handler-event.ts';
import { answer, bodyOf, drip, endless, headersOnly, startReceiver } from '../tests/http-receiver.ts';
import { defineHandlers } from './define-handlers.ts';
import type { HandlerEvent, SingleHandler } from './handler.ts';
import { reasonOf } from './reason-of.ts';
import { type WebhookOptions, webhook } from './webhook.ts';

const SECRETS = [7, 8].map((byte) => `whsec_${Buffer.alloc(32, byte).toString('base64')}`) as [string, string];
const TOLERANCE_MS = 300_000;

interface Delivery {
  headers: IncomingHttpHeaders;
  method: string | undefined;
  body: string;
}

/** A receiver that answers `null` and keeps what it was sent. */
async function startKeeper() {
  const deliveries: Delivery[] = [];
  const { url } = await startReceiver((request, response) => {
    const { headers, method } = request;
    void bodyOf(request).then((body) => {
      deliveries.push({ headers, method, body });
      response.end('null');
    });
  });
  return { url, deliveries };
}

const kindHandler = (url: string, options?: WebhookOptions, kind = 'email') =>
  defineHandlers({ [kind]: webhook(url, options) }).kinds[0] as SingleHandler;
const deliver = (url: string, options?: WebhookOptions, event: Partial<HandlerEvent> = {}) =>
  kindHandler(url, options, event.kind).handleEvent(handlerEvent(event), UNABORTED);

/** Verification as Standard Webhooks says: it knows the secret and what arrived, and nothing of ours. */
function isVerified({ headers, body }: Delivery, secret: string, now = Date.now()): boolean {
  const timestamp = String(headers['webhook-timestamp']);
  if (Math.abs(now - Number(timestamp) * 1_000) > TOLERANCE_MS) return false;
  const content = `${String(headers['webhook-id'])}.${timestamp}.${body}`;
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const expected = createHmac('sha256', key).update(content).digest('base64');
  const signatures = String(headers['webhook-signature']).split(' ');
  return signatures.some((signature) => signature === `v1,${expected}`);
}

describe('a delivery', () => {
  test('is a POST of JSON with the event', async () => {
    const { url, deliveries } = await startKeeper();
    await deliver(url, {}, { id: 7, key: 'client-5', attempt: 2, payload: { to: 'ana' } });
    const [{ method, headers, body } = {} as Delivery] = deliveries;
    expect(method).toBe('POST');
    expect(headers).toMatchObject({ 'content-type': 'application/json', 'accept-encoding': 'identity' });
    expect(JSON.parse(body)).toEqual({
      id: 7,
      kind: 'email',
      key: 'client-5',
      attempt: 2,
      createdAt: '2026-01-02T03:04:05.678Z',
      payload: { to: 'ana' },
    });
  });

  test('goes on with the trace of its event', async () => {
    const { url, deliveries } = await startKeeper();
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await deliver(url, {}, { trace: { traceparent, tracestate: 'rojo=1' } });
    await deliver(url, {}, { trace: { traceparent } });
    await deliver(url);
    expect(deliveries.map(({ headers }) => [headers['traceparent'], headers['tracestate']])).toEqual([
      [traceparent, 'rojo=1'],
      [traceparent, undefined],
      [undefined, undefined],
    ]);
  });

  test('without key and payload has null for them', async () => {
    const { url, deliveries } = await startKeeper();
    await deliver(url);
    expect(JSON.parse(deliveries[0]!.body)).toMatchObject({ key: null, payload: null });
  });

  test('has the payload as it was sent, digit for digit', async () => {
    const { url, deliveries } = await startKeeper();
    const payloadText = '{ "n":12345678901234567890, "f":1.0, "a":1,"a":2, "e":"\\u00e7" }';
    await deliver(url, { secret: SECRETS[0] }, { payloadText });
    expect(deliveries[0]!.body).toContain(`"payload":${payloadText}}`);
    expect(isVerified(deliveries[0]!, SECRETS[0])).toBe(true);
  });

  test('has whatever payload there is, and its signature holds', async () => {
    const { url, deliveries } = await startKeeper();
    const options = { secret: SECRETS[0] };
    const texts = fc.sample(fc.json({ stringUnit: 'binary' }), 50).map((text) => text.toWellFormed());
    for (const payloadText of texts) await deliver(url, options, { payloadText, key: 'ç"\\\n' });
    expect(deliveries.map(({ body }) => body.endsWith(`"payload":${texts.shift()}}`))).not.toContain(false);
    expect(deliveries.map((delivery) => isVerified(delivery, SECRETS[0]))).not.toContain(false);
    expect(deliveries.map(({ body }) => (JSON.parse(body) as { key: string }).key)).not.toContain(undefined);
  });

  test('keeps its id and gets a fresh timestamp at each attempt', async () => {
    const { url, deliveries } = await startKeeper();
    onTestFinished(() => void vi.useRealTimers());
    const hoursApart = [0, 1, 2].map((hours) => Date.UTC(2026, 0, 1, hours));
    for (const now of hoursApart) {
      vi.useFakeTimers({ now, toFake: ['Date'] });
      await deliver(url, { secret: SECRETS[0] }, { id: 7 });
    }
    expect(deliveries.map(({ headers }) => headers['webhook-id'])).toEqual(
      Array(3).fill(`event-${UNABORTED.installationId}-7`),
    );
    expect(deliveries.map((delivery, at) => isVerified(delivery, SECRETS[0], hoursApart[at]))).not.toContain(false);
    expect(isVerified(deliveries[0]!, SECRETS[0], hoursApart[1])).toBe(false);
  });

  test('is signed with both secrets while one is replaced, and with none without a secret', async () => {
    const { url, deliveries } = await startKeeper();
    await deliver(url, { secret: SECRETS });
    expect(SECRETS.map((secret) => isVerified(deliveries[0]!, secret))).toEqual([true, true]);
    await deliver(url, { secret: SECRETS[1] });
    expect(SECRETS.map((secret) => isVerified(deliveries[1]!, secret))).toEqual([false, true]);
    await deliver(url);
    expect(deliveries[2]!.headers).not.toHaveProperty('webhook-signature');
    expect(deliveries[2]!.headers).toHaveProperty('webhook-id', `event-${UNABORTED.installationId}-1`);
  });

  test('names its installation, so that event 7 of another one is another delivery', async () => {
    const { url, deliveries } = await startKeeper();
    const handler = kindHandler(url);
    for (const installationId of ['staging', 'production'])
      await handler.handleEvent(handlerEvent({ id: 7 }), { ...UNABORTED, installationId });
    const ids = deliveries.map(({ headers }) => [headers['webhook-id'], headers['idempotency-key']]);
    expect(ids).toEqual([
      ['event-staging-7', 'event-staging-7'],
      ['event-production-7', 'event-production-7'],
    ]);
  });
});

describe('a 2xx fills the event with its JSON:', () => {
  test.each<[string, RequestListener, string]>([
    ['an object', answer(200, {}, '{"sent":true}'), '{"sent":true}'],
    ['spaces around it are left out', answer(201, {}, ' \n[1]\n'), '[1]'],
    ['an integer of 20 digits', answer(200, {}, '{"n":12345678901234567890}'), '{"n":12345678901234567890}'],
    ['null without a body', answer(202), 'null'],
    ['null without content', answer(204), 'null'],
    ['as much as a value may have', answer(200, {}, `"${'a'.repeat(65_534)}"`), `"${'a'.repeat(65_534)}"`],
  ])('%s', async (_, receiver, valor) => {
    const { url } = await startReceiver(receiver);
    expect(await deliver(url)).toEqual({ valor });
  });

  test('a word as text, if it is one', async () => {
    const { url } = await startReceiver(answer(200, {}, '"mar"'), answer(200, {}, '{"word":"mar"}'));
    expect(await deliver(url, {}, { kind: 'word' })).toEqual({ valor: 'mar' });
    expect(await deliver(url, {}, { kind: 'word' })).toHaveProperty('failure');
  });
});

describe('is retried:', () => {
  test.each([408, 409, 425, 429, 500, 502, 503, 504])('a %i', async (code) => {
    const { url, open } = await startReceiver(answer(code, {}, '{"sent":true}'));
    expect(await deliver(url)).toEqual({ failure: `the webhook answered ${code}` });
    await expect.poll(() => open.size).toBe(0);
  });

  test.each([
    [429, '7', 7_000],
    [503, '0', 0],
    [500, '99999999', 86_400_000],
    [429, 'Wed, 21 Oct 2015 07:28:00 GMT', 0],
    [503, 'soon', undefined],
  ])('a %i with Retry-After: %s, after that time and within a day', async (code, header, retryMs) => {
    const { url } = await startReceiver(answer(code, { 'Retry-After': header }));
    const failure = { failure: `the webhook answered ${code}` };
    expect(await deliver(url)).toEqual(retryMs === undefined ? failure : { ...failure, retryMs });
  });

  test.each<[string, RequestListener, string | RegExp]>([
    ['a page in place of JSON', answer(200, {}, '<html>'), 'the webhook answered 200 with a body that is no JSON'],
    ['half an answer', answer(200, {}, '{"sent":tr'), 'no JSON'],
    ['an answer of 10 MB', answer(200, {}, JSON.stringify('a'.repeat(10_000_000))), 'sent more than 65536 bytes'],
    ['an answer without end', endless, 'sent more than 65536 bytes'],
    ['a compressed answer', answer(200, { 'Content-Encoding': 'gzip' }, gzipSync('{}')), 'sent a compressed answer'],
    ['a gzip bomb in disguise', answer(200, {}, gzipSync(Buffer.alloc(50_000_000))), /broken UTF-8|more than 65536/],
    ['broken UTF-8', answer(200, {}, Buffer.from('"ç"', 'latin1')), 'broken UTF-8'],
    [
      'a connection closed before the answer',
      (_, response) => void response.destroy(),
      'fetch failed: other side closed',
    ],
    [
      'a connection closed in the middle of the answer',
      (_, response) => void response.writeHead(200).write('{', () => response.destroy()),
      'terminated',
    ],
  ])('%s', async (_, receiver, reason) => {
    const { url, open } = await startReceiver(receiver);
    const error: unknown = await deliver(url).catch((error: unknown) => error);
    if (typeof reason === 'string') expect(reasonOf(error)).toContain(reason);
    else expect(reasonOf(error)).toMatch(reason);
    await expect.poll(() => open.size).toBe(0);
  });

  test('a receiver that is down', async () => {
    const { url, server } = await startReceiver(answer(200));
    await new Promise((resolve) => server.close(resolve));
    const error: unknown = await deliver(url).catch((error: unknown) => error);
    expect(reasonOf(error)).toContain('ECONNREFUSED');
  });
});

test.each([300, 301, 302, 304, 307, 400, 401, 403, 404, 410, 413, 422, 451])('a %i is dead at once', async (code) => {
  const { url, asked, open } = await startReceiver(answer(code, { Location: '/elsewhere', 'Retry-After': '7' }));
  expect(await deliver(url)).toEqual({ dead: `the webhook answered ${code}` });
  expect(asked).toHaveLength(1);
  await expect.poll(() => open.size).toBe(0);
});

test('a redirect is not followed to another server', async () => {
  const inside = await startReceiver(answer(200));
  const { url } = await startReceiver(answer(307, { Location: inside.url }));
  expect(await deliver(url)).toEqual({ dead: 'the webhook answered 307' });
  expect(inside.asked).toEqual([]);
});

test.each<[string, RequestListener]>([
  ['silence', () => {}],
  ['silence after the headers', headersOnly],
  ['one byte at a time', drip],
  ['a 404 without end', (_, response) => void response.writeHead(404).write('[')],
])('%s ends when the time is over', async (_, receiver) => {
  const { url, asked, open } = await startReceiver(receiver);
  const timeOver = new AbortController();
  const delivery = kindHandler(url).handleEvent(handlerEvent(), { ...UNABORTED, signal: timeOver.signal });
  await vi.waitFor(() => expect(asked).toHaveLength(1), 20_000);
  timeOver.abort(new Error('the time is over'));
  const ended = await delivery.catch((error: unknown) => error);
  expect([new Error('the time is over'), { dead: 'the webhook answered 404' }]).toContainEqual(ended);
  await expect.poll(() => open.size).toBe(0);
});

describe('is refused when it is defined:', () => {
  test.each<[string, WebhookOptions, string]>([
    ['hooks/report', {}, 'expected an absolute URL with http or https'],
    ['ftp://example.org', {}, 'expected an absolute URL with http or https'],
    ['https://ana:s3cret@example.org', {}, 'has a user or a password'],
    ['https://example.org', { secret: 's3cret' }, 'The secret of a webhook cannot be used'],
    ['https://example.org', { secret: undefined } as never, 'The secret of a webhook is undefined.'],
    ['https://example.org', { secret: '' }, 'The secret of a webhook cannot be used'],
  ])('%s %o', (url, options, message) => {
    expect(() => webhook(url, options)).toThrow(message);
    expect(() => webhook(url, options)).not.toThrow('s3cret');
  });

  test('an option that does not exist, and a limit out of range', () => {
    const define = (options: object) => () => defineHandlers({ email: webhook('https://example.org', options) });
    expect(define({ secrets: [] })).toThrow(`The kind 'email' has an unknown option 'secrets'`);
    expect(define({ attempts: 0 })).toThrow(`The kind 'email' has attempts 0`);
  });
});
