import type { IncomingHttpHeaders, RequestListener } from 'node:http';
import { gzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { handlerEvents, UNABORTED } from '../tests/handler-event.ts';
import { answer, drip, endless, headersOnly, startReceiver } from '../tests/http-receiver.ts';
import { type Behaviour, behaviourSchema } from '../word-service/behaviour.ts';
import { createWordService } from '../word-service/server.ts';
import { defineHandlers } from './define-handlers.ts';
import { type BatchHandler, SourceDownError } from './handler.ts';
import { createWordHandler, type WordHandlerOptions } from './words.ts';

const NEVER = new AbortController().signal;
const FOREVER_MS = 3_600_000;

/** Our own word service as one answer. */
function wordService(behaviour: Partial<Behaviour> = {}): RequestListener {
  const service = createWordService(behaviourSchema.parse(behaviour));
  return (request, response) => void service.emit('request', request, response);
}

const healthy = wordService();
const faulty = (fault: Behaviour['fault']) => wordService({ fault, faultRate: 1 });
const status = (code: number, headers: Record<string, string> = {}, body: string | Buffer = '[{"word":"não"}]') =>
  answer(code, headers, body);
const sends = (body: string | Buffer) => status(200, {}, body);

/** The handler as a consumer has it. */
function handler(url: string, options: Partial<WordHandlerOptions> = {}) {
  const definition = createWordHandler({ url, attemptMs: 10_000, totalMs: 30_000, ...options });
  const { handleBatch } = defineHandlers({ word: definition }).kinds[0] as BatchHandler;
  return (given: ReturnType<typeof events>, signal: AbortSignal) => handleBatch(given, { ...UNABORTED, signal });
}
const events = handlerEvents;
const words = (...list: string[]) => sends(JSON.stringify(list.map((word) => ({ word }))));

describe('a service that works', () => {
  test('is asked once for as many words as there are events, in Portuguese', async () => {
    const { url, asked } = await startReceiver(healthy);
    const outcomes = await handler(url)(events(500), NEVER);
    expect(outcomes.filter((outcome) => 'valor' in outcome)).toHaveLength(500);
    expect(asked).toEqual(['/api?language=pt-br&words=500']);
  });

  test('is asked for JSON that is not compressed, for no more is read than is allowed', async () => {
    let headers: IncomingHttpHeaders = {};
    const { url } = await startReceiver((request, response) => {
      headers = request.headers;
      healthy(request, response);
    });
    await handler(url)(events(1), NEVER);
    expect(headers).toMatchObject({ accept: 'application/json', 'accept-encoding': 'identity' });
  });

  test('may have a query of its own in its address', async () => {
    const { url, asked } = await startReceiver(words('mar'));
    await handler(`${url}?key=a%20b&words=9`)(events(1), NEVER);
    expect(asked).toEqual(['/api?key=a+b&words=1&language=pt-br']);
  });

  test('is not asked when there is no event', async () => {
    const { url, asked } = await startReceiver(healthy);
    expect(await handler(url)([], NEVER)).toEqual([]);
    expect(asked).toEqual([]);
  });

  test('may send fewer words than asked: only so many events are served', async () => {
    const { url } = await startReceiver(faulty('fewer'));
    expect(await handler(url)(events(9), NEVER)).toHaveLength(4);
  });

  test('gives its words to the events in their order; more than asked for are cut', async () => {
    const { url } = await startReceiver(words('maçã', 'pão', 'avó'));
    expect(await handler(url)(events(2), NEVER)).toEqual([{ valor: 'maçã' }, { valor: 'pão' }]);
  });

  test('may send something that is no word: that event fails, the others do not', async () => {
    const { url, asked } = await startReceiver(faulty('not-words'));
    const outcomes = await handler(url)(events(4), NEVER);
    expect(outcomes.map((outcome) => Object.keys(outcome)[0])).toEqual(['valor', 'failure', 'valor', 'failure']);
    expect(asked).toHaveLength(1);
  });
});

describe('a fault that may pass', () => {
  test.each<[string, RequestListener]>([
    ['a 500', faulty('error')],
    ['a 408', status(408)],
    ['a 425', status(425)],
    ['a 503', status(503)],
    ['a 429 that names no time', status(429)],
    ['a 429 whose time makes no sense', status(429, { 'Retry-After': 'soon' })],
    ['a connection closed before the answer', faulty('close')],
    ['a connection reset in the middle of the answer', faulty('reset')],
    ['a page instead of words', faulty('html')],
    ['an empty list', faulty('empty')],
  ])('%s is retried', async (_, fault) => {
    const { url, asked } = await startReceiver(fault, healthy);
    expect(await handler(url)(events(2), NEVER)).toHaveLength(2);
    expect(asked).toHaveLength(2);
  });

  test('is retried no more often than said, and what it was is the error', async () => {
    const { url, asked } = await startReceiver(faulty('error'));
    await expect(handler(url, { retries: 2 })(events(1), NEVER)).rejects.toThrow('the word service answered 500');
    expect(asked).toHaveLength(3);
  });

  test('a refused connection is retried', async () => {
    const { url, server } = await startReceiver(healthy);
    await new Promise((resolve) => server.close(resolve));
    const calls = vi.spyOn(globalThis, 'fetch');
    onTestFinished(() => calls.mockRestore());
    await expect(handler(url, { retries: 1 })(events(1), NEVER)).rejects.toThrow('fetch failed');
    expect(calls).toHaveBeenCalledTimes(2);
  });
});

test.each<[string, RequestListener, string]>([
  ['a 404', faulty('missing'), 'answered 404'],
  ['a 400 without end', (_, response) => void response.writeHead(400).write('['), 'answered 400'],
  ['a 204', status(204, {}, ''), 'answered 204'],
  ['a 206', status(206), 'answered 206'],
  ['a redirect', faulty('redirect'), 'answered 302'],
  ['a compressed answer', status(200, { 'Content-Encoding': 'gzip' }, gzipSync('[{"word":"não"}]')), 'compressed'],
])('%s is an error at once, since the next call would meet the same', async (_, answer, message) => {
  const { url, asked, open } = await startReceiver(answer);
  await expect(handler(url)(events(1), NEVER)).rejects.toThrow(message);
  expect(asked).toHaveLength(1);
  await expect.poll(() => open.size).toBe(0);
});

test('a redirect is not followed to another server', async () => {
  const other = await startReceiver(healthy);
  const { url } = await startReceiver(status(307, { Location: other.url }));
  await expect(handler(url)(events(1), NEVER)).rejects.toThrow('answered 307');
  expect(other.asked).toEqual([]);
});

describe('Retry-After', () => {
  const inAMinute = () => new Date(Date.now() + 30_000).toUTCString();

  test.each([
    ['seconds', 429, '7', 7_000, 7_000],
    ['seconds with another status', 503, '2', 2_000, 2_000],
    ['a date', 429, inAMinute(), 20_000, 30_000],
    ['a date that is over', 429, 'Wed, 21 Oct 2015 07:28:00 GMT', 0, 0],
    ['a day, of which we wait a minute', 503, '86400', 60_000, 60_000],
  ])('in %s is how long the service is left alone, and nothing is retried', async (_, code, value, least, most) => {
    const { url, asked } = await startReceiver(status(code, { 'Retry-After': value }));
    const error: unknown = await handler(url)(events(1), NEVER).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(SourceDownError);
    const { pauseMs } = error as SourceDownError;
    expect(pauseMs).toBeGreaterThanOrEqual(least);
    expect(pauseMs).toBeLessThanOrEqual(most);
    expect(asked).toHaveLength(1);
  });
});

describe.each<[string, RequestListener]>([
  ['silence', faulty('silence')],
  ['silence after the headers', headersOnly],
  ['one byte at a time', drip],
])('%s', (_, answer) => {
  test.each([
    ['one attempt, and retried', { attemptMs: 150, totalMs: FOREVER_MS, retries: 1 }, 2],
    ['all attempts together', { attemptMs: FOREVER_MS, totalMs: 150, retries: 3 }, 1],
  ])('is cut at the limit for %s', async (_, limits, calls) => {
    const { url, asked, open } = await startReceiver(answer);
    await expect(handler(url, limits)(events(1), NEVER)).rejects.toThrow('timeout');
    expect(asked).toHaveLength(calls);
    await expect.poll(() => open.size).toBe(0);
  });

  test('ends at once when the work is given up', async () => {
    const { url, asked, open } = await startReceiver(answer);
    const giveUp = new AbortController();
    const outcome = handler(url)(events(1), giveUp.signal);
    await vi.waitFor(() => expect(asked).toHaveLength(1), 20_000);
    giveUp.abort(new Error('given up'));
    await expect(outcome).rejects.toThrow('given up');
    await expect.poll(() => open.size).toBe(0);
  });
});

test('the limit for all attempts ends the retries too', async () => {
  const { url, asked } = await startReceiver(faulty('error'));
  await expect(handler(url, { totalMs: 500, retries: 1_000 })(events(1), NEVER)).rejects.toThrow();
  expect(asked.length).toBeGreaterThan(1);
  expect(asked.length).toBeLessThan(10);
});

test('giving up ends the pause before a retry', async () => {
  const { url, asked } = await startReceiver(faulty('error'));
  const giveUp = new AbortController();
  const outcome = handler(url, { retries: 1_000, totalMs: FOREVER_MS })(events(1), giveUp.signal);
  await vi.waitFor(() => expect(asked.length).toBeGreaterThan(1), 20_000);
  giveUp.abort(new Error('given up'));
  await expect(outcome).rejects.toThrow('given up');
});

describe('nothing gets through of', () => {
  const bomb = gzipSync(Buffer.alloc(50_000_000, ' '));

  test.each<[string, RequestListener, string | RegExp]>([
    ['no body', sends(''), /JSON/],
    ['a page', faulty('html'), /JSON/],
    ['half a list', sends('[{"word":"mar"},{"wo'), /JSON/],
    ['broken UTF-8', sends(Buffer.from('[{"word":"coração"}]', 'latin1')), 'broken UTF-8'],
    ['UTF-8 that breaks off', sends(Buffer.from([0x22, 0xc3])), 'broken UTF-8'],
    ['null', sends('null'), 'no list'],
    ['a word outside a list', sends('{"word":"mar"}'), 'no list'],
    ['an empty list', sends('[]'), 'no list'],
    ['a list of 10 MB', sends(`[${'{"word":"mar"},'.repeat(700_000)}{"word":"mar"}]`), 'more than 8192 bytes'],
    ['a word of 10 MB', words('a'.repeat(10_000_000)), 'more than 8192 bytes'],
    ['a list without end', endless, 'more than 8192 bytes'],
    ['10 MB of spaces around a list', sends(`${' '.repeat(10_000_000)}[{"word":"mar"}]`), 'more than 8192 bytes'],
    ['a gzip bomb', status(200, { 'Content-Encoding': 'gzip' }, bomb), 'compressed'],
    ['a gzip bomb in disguise', sends(bomb), /not valid|more than 8192 bytes/],
  ])('%s', async (_, answer, message) => {
    const { url } = await startReceiver(answer);
    await expect(handler(url, { retries: 0 })(events(1), NEVER)).rejects.toThrow(message);
  });
});

test('the time limits of the calls come before that of the batch, however long they are', () => {
  const limitOf = (attemptMs: number) => createWordHandler({ url: 'http://127.0.0.1', attemptMs }).timeoutMs;
  expect(limitOf(5_000)).toBeGreaterThan(20_000);
  expect(() => defineHandlers({ word: createWordHandler({ url: 'x', attemptMs: 2_000_000_000 }) })).not.toThrow();
});
