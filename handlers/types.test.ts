import { expect, expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import { defineHandlers } from './define-handlers.ts';
import type { HandlerInput } from './handler.ts';
import { dead, later } from './outcome.ts';
import { webhook } from './webhook.ts';

/** What the compiler takes and refuses: `tsc` is what tests it. */

const schema = z.object({ to: z.string(), times: z.coerce.number() });
interface Mail {
  to: string;
}
interface Receipt {
  paid: boolean;
}
const receipt = {} as Receipt;

test('the type of a payload follows its schema, and is unknown without one', () => {
  const handlers = defineHandlers({
    plain: ({ payload, signal }) => {
      expectTypeOf(payload).toEqualTypeOf<unknown>();
      expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
    },
    typed: async ({ payload, signal }: HandlerInput<Mail>) => (signal.aborted ? later(1) : payload.to),
    object: {
      payload: schema,
      handle: ({ payload }) => expectTypeOf(payload).toEqualTypeOf<z.output<typeof schema>>() as never,
    },
    order: { handle: (event, { signal }) => (signal.aborted ? null : event.payload.times), payload: schema },
    none: { attempts: 2, handle: (event) => expectTypeOf(event.payload).toEqualTypeOf<unknown>() as never },
    many: { payload: schema, handleBatch: async (events) => events.map(({ payload }) => payload.to.length) },
    hook: webhook('https://example.org/hook'),
  });
  expect(handlers.kinds.map(({ kind }) => kind)).toEqual(['plain', 'typed', 'object', 'order', 'none', 'many', 'hook']);
});

test('a handler returns JSON, nothing, later() or dead()', () => {
  const handlers = defineHandlers({
    json: async () => ({ paid: true, items: [1, null, { note: undefined }] }),
    nothing: async () => {},
    sometimes: async ({ waits }) => (waits > 3 ? dead('too late') : later(1_000)),
    spread: async () => ({ ...receipt }),
    batch: { handleBatch: async (events) => events.map(({ id }) => (id > 1 ? new Error('busy') : { id })) },
  });
  expect(handlers.kinds).toHaveLength(5);
});

test('what is no JSON, and options that do not exist, are refused', () => {
  // @ts-expect-error -- a date is no JSON
  defineHandlers({ a: async () => new Date() });
  // @ts-expect-error -- a bigint is no JSON
  defineHandlers({ a: { handle: () => 3n } });
  // @ts-expect-error -- an await is missing
  defineHandlers({ a: async () => ({ user: Promise.resolve(1) }) });
  // @ts-expect-error -- a Map is no JSON
  defineHandlers({ a: { handleBatch: async () => [new Map()] } });
  // @ts-expect-error -- an interface may be anything; spread, it is an object
  defineHandlers({ a: async () => receipt });
  // @ts-expect-error -- one result for each event
  defineHandlers({ a: { handleBatch: async () => 'mar' } });
  // @ts-expect-error -- the payload is unknown
  defineHandlers({ a: async ({ payload }) => payload.to });
  // @ts-expect-error -- the schema has no such member
  defineHandlers({ a: { payload: schema, handle: async ({ payload }) => payload.from } });
  // @ts-expect-error -- misspelt
  expect(() => defineHandlers({ a: { handle: () => 3, atempts: 3 } })).toThrow('atempts');
  // @ts-expect-error -- one of them
  expect(() => defineHandlers({ a: { handle: () => 3, handleBatch: async () => [] } })).toThrow('both');
});
