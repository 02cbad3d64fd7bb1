import { describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { handlerEvent, handlerEvents, UNABORTED } from '../tests/handler-event.ts';
import { defineHandlers } from './define-handlers.ts';
import type { BatchHandler, HandlerEvent, SingleHandler } from './handler.ts';
import { isHandlers } from './handlers.ts';
import { dead, later } from './outcome.ts';

type Definitions = Parameters<typeof defineHandlers>[0];
const single = (definition: Definitions[string], kind = 'email') =>
  defineHandlers({ [kind]: definition }).kinds[0] as SingleHandler;
const batch = (definition: Definitions[string]) => defineHandlers({ email: definition }).kinds[0] as BatchHandler;
const schema = z.object({ to: z.string(), times: z.coerce.number().default(1) });

test('each kind has its handler, with the defaults of its style', () => {
  const handlers = defineHandlers({ email: () => 1, word: { handleBatch: () => [] } });
  expect(isHandlers(handlers)).toBe(true);
  const policy = { attempts: 5, timeoutMs: 60_000 };
  expect(handlers.kinds).toMatchObject([
    { kind: 'email', style: 'single', concurrency: 10, ...policy },
    { kind: 'word', style: 'batch', batch: 100, concurrency: 2, ...policy },
  ]);
  expect(handlers.kinds[0]!.retryDelayMs(2)).toBe(20_000);
});

test('options win over the defaults, and one that is undefined is as good as none', () => {
  const options = { concurrency: 400, attempts: 1, retryDelayMs: 7, timeoutMs: undefined } as object;
  const handler = single({ ...options, handle: () => 1 });
  expect(handler).toMatchObject({ concurrency: 400, attempts: 1, timeoutMs: 60_000 });
  expect(handler.retryDelayMs(9)).toBe(7);
});

describe('a handler of one event', () => {
  test('gets the event with its signal, and the signal once more', async () => {
    const handle = vi.fn(() => null);
    const event = handlerEvent({ payload: { to: 'ana' }, key: 'client-5' });
    await single(handle).handleEvent(event, UNABORTED);
    expect(handle.mock.calls).toEqual([[{ ...event, ...UNABORTED }, UNABORTED]]);
  });

  test('is called as a method of its definition', async () => {
    const definition = {
      handle(this: unknown) {
        return this === definition;
      },
    };
    expect(await single(definition).handleEvent(handlerEvent(), UNABORTED)).toEqual({ valor: 'true' });
  });

  test.each<[string, Definitions[string], object]>([
    ['a value', () => ({ sent: true }), { valor: '{"sent":true}' }],
    ['a value made later', async () => 'mar', { valor: '"mar"' }],
    ['nothing', () => {}, { valor: 'null' }],
    ['later()', () => later(5), { laterMs: 5 }],
    ['dead()', async () => dead('no such user'), { dead: 'no such user' }],
    ['no JSON', (() => 3n) as never, { failure: 'the value cannot be kept: a bigint is no JSON' }],
    ['an Error', (() => new Error('busy')) as never, { failure: 'busy' }],
  ])('may return %s', async (_, definition, outcome) => {
    expect(await single(definition).handleEvent(handlerEvent(), UNABORTED)).toEqual(outcome);
  });

  test('rejects with what it throws, also when it throws at once', async () => {
    const error = new Error('busy');
    const throws = () => {
      throw error;
    };
    await expect(single(throws).handleEvent(handlerEvent(), UNABORTED)).rejects.toBe(error);
    await expect(single({ handle: throws }).handleEvent(handlerEvent(), UNABORTED)).rejects.toBe(error);
  });

  test('of the kind word gives plain text', async () => {
    expect(await single(() => 'mar', 'word').handleEvent(handlerEvent(), UNABORTED)).toEqual({ valor: 'mar' });
  });
});

describe('a payload', () => {
  test('is what its schema makes of it', async () => {
    const handler = single({ payload: schema, handle: ({ payload }) => payload as never });
    const event = handlerEvent({ payload: { to: 'ana', times: '3' } });
    expect(await handler.handleEvent(event, UNABORTED)).toEqual({ valor: '{"to":"ana","times":3}' });
  });

  test.each<[string, unknown, RegExp]>([
    ['a member of another type', { to: 7 }, /^the payload does not fit: to: Invalid input/],
    ['nothing', undefined, /^the payload does not fit: Invalid input/],
    ['more than one fault', { times: 'x' }, /to: .*; times: /],
  ])('that does not fit is dead at once, with the reason: %s', async (_, payload, reason) => {
    const handle = vi.fn(() => null);
    const outcome = await single({ payload: schema, handle }).handleEvent(handlerEvent({ payload }), UNABORTED);
    expect(outcome).toEqual({ dead: expect.stringMatching(reason) });
    expect(handle).not.toHaveBeenCalled();
  });

  test('with very many faults is dead with a reason of 255 characters', async () => {
    const handler = single({ payload: z.array(z.string()), handle: () => 1 });
    const outcome = await handler.handleEvent(handlerEvent({ payload: Array(1_000).fill(1) }), UNABORTED);
    expect((outcome as { dead: string }).dead).toHaveLength(255);
  });

  test('may be checked by any Standard Schema, also a function or one that takes its time', async () => {
    const slow = Object.assign(() => {}, {
      '~standard': {
        version: 1 as const,
        vendor: 'test',
        validate: async () => ({ issues: [{ message: 'too old', path: ['items', { key: 0 }] }] }),
      },
    });
    const outcome = await single({ payload: slow, handle: () => 1 }).handleEvent(handlerEvent(), UNABORTED);
    expect(outcome).toEqual({ dead: 'the payload does not fit: items.0: too old' });
  });
});

describe('a handler of many events', () => {
  test('gives a result for each, in their order', async () => {
    const handler = batch({
      handleBatch: (events) => [events.length, later(5), dead('no'), new Error('busy'), 3n as never],
    });
    expect(await handler.handleBatch(handlerEvents(5), UNABORTED)).toEqual([
      { valor: '5' },
      { laterMs: 5 },
      { dead: 'no' },
      { failure: 'busy' },
      { failure: 'the value cannot be kept: a bigint is no JSON' },
    ]);
  });

  test('may serve only the first of them; results beyond the events are left out', async () => {
    const handler = batch({ handleBatch: () => ['a', 'b'] });
    expect(await handler.handleBatch(handlerEvents(3), UNABORTED)).toHaveLength(2);
    expect(await handler.handleBatch(handlerEvents(1), UNABORTED)).toEqual([{ valor: '"a"' }]);
  });

  test('is not given events whose payload does not fit; each result stays with its event', async () => {
    const handleBatch = vi.fn((events: readonly HandlerEvent[]) =>
      events.map(({ payload }) => (payload as { to: string }).to),
    );
    const payloads = [{ to: 'ana' }, {}, { to: 'rui' }, {}, { to: 'eva' }];
    const events = payloads.map((payload, id) => handlerEvent({ id, payload }));
    const unfit = { dead: expect.stringContaining('to: ') };
    expect(await batch({ payload: schema, handleBatch }).handleBatch(events, UNABORTED)).toEqual([
      { valor: '"ana"' },
      unfit,
      { valor: '"rui"' },
      unfit,
      { valor: '"eva"' },
    ]);
    handleBatch.mockReturnValue(['first']);
    expect(await batch({ payload: schema, handleBatch }).handleBatch(events, UNABORTED)).toEqual([
      { valor: '"first"' },
      unfit,
    ]);
  });

  test('is never called without events', async () => {
    const handleBatch = vi.fn(() => []);
    const handler = batch({ payload: schema, handleBatch });
    expect(await handler.handleBatch([handlerEvent()], UNABORTED)).toHaveLength(1);
    expect(await handler.handleBatch([], UNABORTED)).toEqual([]);
    expect(handleBatch).not.toHaveBeenCalled();
  });

  test('rejects with what it throws, or when it returns no list', async () => {
    const error = new Error('down');
    await expect(
      batch({ handleBatch: () => Promise.reject(error) }).handleBatch(handlerEvents(1), UNABORTED),
    ).rejects.toBe(error);
    const noList = batch({ handleBatch: (() => 'mar') as never });
    await expect(noList.handleBatch(handlerEvents(1), UNABORTED)).rejects.toThrow('returned no list of results');
  });
});

describe('is refused, in one sentence that names the kind and the option:', () => {
  const handle = () => 1;
  const handleBatch = () => [];

  test.each<[object, string]>([
    [{ 'E-Mail': handle }, `'E-Mail' cannot be a kind: expected a small letter, then at most 63 of`],
    [{ ['a'.repeat(65)]: handle }, `cannot be a kind`],
    [{ '': handle }, `'' cannot be a kind`],
    [
      { email: 'mar' },
      `The kind 'email' has no handler: expected a function, or an object with handle, handleBatch or inTransaction.`,
    ],
    [{ email: null }, `The kind 'email' has no handler`],
    [{ email: { attempts: 3 } }, `The kind 'email' has no handler`],
    [{ email: { handle, handleBatch } }, `The kind 'email' has both handle and handleBatch: keep one of them.`],
    [{ email: { handle: 7 } }, `The kind 'email' has handle 7: expected a function.`],
    [{ email: { handle, atempts: 3 } }, `The kind 'email' has an unknown option 'atempts': expected one of handle, `],
    [{ email: { handle, batch: 3 } }, `The kind 'email' has an unknown option 'batch': expected one of handle, `],
    [{ email: { handle, toString: 3 } }, `The kind 'email' has an unknown option 'toString'`],
    [{ email: { handle, attempts: 0 } }, `has attempts 0: expected a whole number from 1 to 1,000,000.`],
    [{ email: { handle, attempts: '5' } }, `has attempts '5': expected`],
    [{ email: { handle, concurrency: 10_001 } }, `has concurrency 10001: expected a whole number from 1 to 10,000.`],
    [{ email: { handle, timeoutMs: 2 ** 31 } }, `expected a whole number from 1 to 2,147,483,647.`],
    [{ email: { handle, retryDelayMs: -1 } }, `from 0 to 31,536,000,000, or a function.`],
    [{ email: { handle, payload: { to: 'text' } } }, `has payload { to: 'text' }: expected a Standard Schema.`],
    [{ email: { handleBatch, batch: 1.5 } }, `has batch 1.5: expected a whole number from 1 to 10,000.`],
    [{ email: { handleBatch, concurrency: 101 } }, `has concurrency 101: expected a whole number from 1 to 100.`],
    [{ email: { handle, attempts: Object.create(null) as object } }, `has attempts`],
    [{}, 'There are no handlers: expected one for each kind, by its name.'],
  ])('%o', (definitions, sentence) => {
    let message = '';
    try {
      defineHandlers(definitions as Definitions);
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).toContain(sentence);
    expect(message.split('\n')).toHaveLength(1);
  });

  test('all that is wrong is in one error', () => {
    const definitions = { A: handle, b: { handle, attempts: 0, timeoutMs: 0 } } as Definitions;
    expect(() => defineHandlers(definitions)).toThrow(/'A'[^\n]*\n[^\n]*attempts[^\n]*\n[^\n]*timeoutMs[^\n]*$/);
  });
});
