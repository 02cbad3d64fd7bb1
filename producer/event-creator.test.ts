import { describe, expect, test } from 'vitest';
import { InvalidEventError } from '../database/events/new-event.ts';
import { countEvents } from '../database/events/read.ts';
import { claimAll, fillAll, killAll, startTestApp } from '../tests/producer-app.ts';
import { useTestDatabase } from '../tests/test-database.ts';
import { QueueFullError } from './create-batcher.ts';

/** What createProducer gives to code in the same process. */

const { db } = await useTestDatabase();

describe('create', () => {
  test('creates all in one transaction, and says which they are once they are committed', async () => {
    const producer = startTestApp(db);
    const payload = { to: 'ana@example.org', cc: undefined, at: new Date(0) };
    const events = [{ kind: 'email', payload, key: 'k', delayMs: 0 }, { kind: undefined, key: undefined }, {}];
    expect(await producer.create(events)).toEqual({ id: 1, count: 3 });
    expect(await countEvents(db)).toBe(3);
    expect(await claimAll(db, 'email')).toMatchObject([
      { id: 1, key: 'k', payload: '{"to":"ana@example.org","at":"1970-01-01T00:00:00.000Z"}' },
    ]);
    expect(await claimAll(db)).toMatchObject([{ id: 2 }, { id: 3 }]);
  });

  test('shares a transaction with the creates of HTTP', async () => {
    const { app, create } = startTestApp(db);
    const [created, response] = await Promise.all([create([{}, {}]), app.request('/create-async', { method: 'POST' })]);
    expect(created).toEqual({ id: 1, count: 2 });
    expect(await response.json()).toMatchObject({ id: 3 });
  });

  const circle: Record<string, unknown> = {};
  circle['circle'] = circle;

  test.each<[string, unknown[], RegExp]>([
    ['nothing', [], /^events must be a list of 1 to 10000 events\.$/],
    ['too many', Array.from({ length: 10_001 }, () => ({})), /^events must be a list of 1 to 10000 events\.$/],
    ['a bad kind', [{}, { kind: 'Bad Kind' }], /^events\[1\]\.kind must be 1 to 64/],
    ['an unknown member', [{ priority: 1 }], /^events\[0\] has the unknown member "priority"/],
    ['a function', [{ payload: () => 1 }], /^events\[0\]\.payload must be a JSON value: a function is none\.$/],
    ['a big integer', [{ payload: 1n }], /^events\[0\]\.payload must be a JSON value: .*BigInt/],
    ['a circle', [{ payload: circle }], /^events\[0\]\.payload must be a JSON value: .*circular/s],
    ['a large payload', [{ payload: 'x'.repeat(65_535) }], /^events\[0\]\.payload has 65537 bytes/],
  ])('refuses %s by name, and creates nothing', async (_, events, message) => {
    const { create } = startTestApp(db);
    const error = await create(events as object[]).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InvalidEventError);
    expect((error as Error).message).toMatch(message);
    expect(await countEvents(db)).toBe(0);
  });

  test('hands on the trace that it is given, and ignores a malformed one', async () => {
    const { create, createAndWait } = startTestApp(db);
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await create([{}, {}], { trace: { traceparent, tracestate: 'rojo=1' } });
    await createAndWait({}, { waitMs: 0, trace: { traceparent } });
    await create([{}], { trace: { traceparent: 'x' } });
    expect((await claimAll(db)).map(({ trace }) => trace)).toEqual([
      `${traceparent} rojo=1`,
      `${traceparent} rojo=1`,
      traceparent,
      undefined,
    ]);
  });

  test('has the limit of payloads that the producer was given', async () => {
    const { create } = startTestApp(db, { payloadLimit: 10 });
    expect(await create([{ payload: 'x'.repeat(8) }])).toMatchObject({ count: 1 });
    await expect(create([{ payload: 'x'.repeat(9) }])).rejects.toThrow('at most 10');
  });

  test('is refused when too many wait', async () => {
    const { create } = startTestApp(db, { createQueueLimit: 1 });
    await expect(create([{}, {}])).rejects.toBeInstanceOf(QueueFullError);
  });
});

describe('createAndWait', () => {
  test('resolves to the value once the event is filled', async () => {
    const { createAndWait, waiting } = startTestApp(db);
    const event = createAndWait({ kind: 'email', payload: 1 });
    await expect.poll(waiting).toBe(1);
    await fillAll(db, '{"sent":[true]}', 'email');
    expect(await event).toEqual({ id: 1, kind: 'email', value: { sent: [true] }, status: 'filled' });
  });

  test('resolves to the text of a word', async () => {
    const { createAndWait, waiting } = startTestApp(db);
    const event = createAndWait({});
    await expect.poll(waiting).toBe(1);
    await fillAll(db, 'null');
    expect(await event).toEqual({ id: 1, kind: 'word', value: 'null', status: 'filled' });
  });

  test.each([
    [undefined, null],
    ['no such address', 'no such address'],
  ])('resolves when the event is dead, with the reason if its handler gave it: %s', async (refusal, deadReason) => {
    const { createAndWait, waiting } = startTestApp(db);
    const event = createAndWait({ kind: 'email' });
    await expect.poll(waiting).toBe(1);
    await killAll(db, 'email', refusal);
    expect(await event).toEqual({ id: 1, kind: 'email', deadReason, status: 'dead' });
  });

  test('resolves when somebody deletes the event', async () => {
    const { createAndWait, waiting } = startTestApp(db);
    const event = createAndWait({});
    await expect.poll(waiting).toBe(1);
    await db.deleteFrom('Events').execute();
    expect(await event).toEqual({ id: 1, status: 'gone' });
  });

  test('leaves an event open whose time is over, whose caller leaves, or whose producer stops', async () => {
    const { createAndWait, waiting } = startTestApp(db);
    const left = new AbortController();
    const leaving = createAndWait({}, { signal: left.signal });
    expect(await createAndWait({}, { waitMs: 20 })).toEqual({ id: 2, status: 'open' });
    expect(waiting()).toBe(1);
    left.abort();
    expect(await leaving).toEqual({ id: 1, status: 'open' });
    expect(waiting()).toBe(0);
  });

  test('creates nothing for a caller that has left already', async () => {
    const { createAndWait } = startTestApp(db);
    await expect(createAndWait({}, { signal: AbortSignal.abort(new Error('left')) })).rejects.toThrow('left');
    expect(await countEvents(db)).toBe(0);
  });

  test('ends a thousand waits by one signal without a warning', async () => {
    const { createAndWait, waiting } = startTestApp(db);
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on('warning', onWarning);
    const left = new AbortController();
    const all = Array.from({ length: 1_000 }, () => createAndWait({}, { signal: left.signal }));
    await expect.poll(waiting).toBe(1_000);
    left.abort();
    expect(new Set((await Promise.all(all)).map(({ status }) => status))).toEqual(new Set(['open']));
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
  });

  test('names the member that is wrong', async () => {
    const { createAndWait } = startTestApp(db);
    await expect(createAndWait({ delayMs: -1 })).rejects.toThrow(/^delayMs must be a whole number/);
    await expect(createAndWait([] as object)).rejects.toThrow(/^The event must be a JSON object/);
    expect(await countEvents(db)).toBe(0);
  });
});
