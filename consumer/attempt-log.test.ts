import { describe, expect, test } from 'vitest';
import { createEvents } from '../database/events/create.ts';
import { searchLog } from '../database/events/log.ts';
import { dead, defineHandlers, done, later, SourceDownError } from '../index.ts';
import { useTestDatabase } from '../tests/test-database.ts';
import { createWorker } from '../tests/test-worker.ts';
import { forgetLogRound } from './forget-log.ts';

/** Which attempts of handlers leave a line in the log, and what it says. */

const database = await useTestDatabase();
const { db } = database;

type Does = 'value' | 'text' | 'nothing' | 'throw' | 'dead' | 'later' | 'down';

async function act(does: unknown) {
  if (does === 'throw') throw new Error('no such address');
  if (does === 'down') throw new SourceDownError();
  if (does === 'dead') return dead('no such user');
  if (does === 'later') return later(60_000, 'no parcel yet');
  return does === 'text' ? 'sent "it"' : does === 'value' ? { sent: true } : undefined;
}

/** In a batch, an Error that is returned is the failure of one event. */
function notDown(error: Error): Error {
  if (error instanceof SourceDownError) throw error;
  return error;
}

type Options = { log?: 'off' | 'failures' | 'all'; logKey?: string };
interface Payload {
  does: Does;
}

/** The same handler in each style. */
const STYLES: Record<string, (options: Options) => ReturnType<typeof defineHandlers>> = {
  handle: (options) =>
    defineHandlers({ job: { ...options, attempts: 2, handle: async ({ payload }) => act((payload as Payload).does) } }),
  handleBatch: (options) =>
    defineHandlers({
      job: {
        ...options,
        attempts: 2,
        handleBatch: (events) =>
          Promise.all(events.map(({ payload }) => act((payload as Payload).does).catch(notDown))),
      },
    }),
  inTransaction: (options) =>
    defineHandlers({
      job: { ...options, attempts: 2, inTransaction: async ({ payload }) => act((payload as Payload).does) },
    }),
};

async function handle(handlers: ReturnType<typeof defineHandlers>): Promise<void> {
  await createWorker(db, [...handlers.kinds]).run();
}

const create = (does: readonly Does[]) =>
  createEvents(
    db,
    does.map((one, n) => ({ kind: 'job', payload: JSON.stringify({ does: one, messageId: `m-${n}`, number: n }) })),
  );

/** [event, outcome, text] of each line, by event. */
async function lines() {
  const found = await searchLog(db);
  return found.map(({ id, outcome, text }) => [id, outcome, text]).toSorted(([a], [b]) => Number(a) - Number(b));
}

describe.each(Object.keys(STYLES))('with a handler of the style %s', (style) => {
  const toHandlers = STYLES[style]!;

  test('failures leave a line unless it says something else', async () => {
    await create(['value', 'throw', 'dead', 'later']);
    await handle(toHandlers({}));
    expect(await lines()).toEqual([
      [2, 'failed', 'no such address'],
      [3, 'dead', 'no such user'],
    ]);
  });

  test('all attempts leave a line on demand, with the beginning of the value', async () => {
    await create(['value', 'throw', 'dead', 'later', 'text', 'nothing']);
    await handle(toHandlers({ log: 'all', logKey: 'messageId' }));
    expect(await lines()).toEqual([
      [1, 'filled', '{"sent":true}'],
      [2, 'failed', 'no such address'],
      [3, 'dead', 'no such user'],
      [4, 'later', 'no parcel yet'],
      [5, 'filled', 'sent "it"'],
      [6, 'filled', 'null'],
    ]);
    expect(await searchLog(db, { key: 'm-4' })).toMatchObject([{ id: 5, attempt: 1, consumer: 'a', key: 'm-4' }]);
  });

  test('no attempt leaves one on demand', async () => {
    await create(['value', 'throw', 'dead']);
    await handle(toHandlers({ log: 'off' }));
    expect(await lines()).toEqual([]);
  });

  test('an event that was given back untouched leaves none', async () => {
    await create(['down']);
    const { run, giveUp } = createWorker(db, [...toHandlers({ log: 'all' }).kinds], { once: false });
    const stop = new AbortController();
    const running = run(stop.signal);
    await expect
      .poll(async () => (await db.selectFrom('Events').select(['attempts', 'processing']).execute())[0])
      .toEqual({ attempts: 1, processing: 2 });
    stop.abort();
    giveUp.abort();
    await running;
    expect(await lines()).toEqual([]);
  });
});

test('the attempt with which an event dies is the last line', async () => {
  await create(['throw']);
  await handle(STYLES['handle']!({}));
  await database.letTimePass();
  await handle(STYLES['handle']!({}));
  expect(await lines()).toEqual([
    [1, 'failed', 'no such address'],
    [1, 'dead', 'no such address'],
  ]);
});

test('an effect and its line are written together', async () => {
  await create(['value']);
  await handle(defineHandlers({ job: { log: 'all', handle: async () => done('paid', async () => {}) } }));
  expect(await lines()).toEqual([[1, 'filled', 'paid']]);
});

test('the key is a text or a number of the payload, and otherwise there is none', async () => {
  const payloads = [
    '{"a":"x"}',
    '{"a":7}',
    '{"a":90071992547409931}',
    '{"a":{}}',
    '{"b":1}',
    '[1]',
    '7',
    'null',
    undefined,
  ];
  await createEvents(
    db,
    payloads.map((payload) => ({ kind: 'job', ...(payload !== undefined && { payload }) })),
  );
  await handle(defineHandlers({ job: { log: 'all', logKey: 'a', handle: async () => null } }));
  const keys = new Map((await searchLog(db)).map(({ id, key }) => [id, key]));
  expect([1, 2, 3, 4, 5, 6, 7, 8, 9].map((id) => keys.get(id))).toEqual(['x', '7', ...Array(7).fill(null)]);
});

test('a payload that is no JSON is a failure with its line, and no key', async () => {
  await create(['value']);
  await db.updateTable('EventPayloads').set({ payload: '{' }).execute();
  await handle(STYLES['handle']!({ logKey: 'messageId' }));
  expect(await searchLog(db)).toMatchObject([{ id: 1, outcome: 'failed', key: null }]);
});

test('consumers forget old lines, in small deletes that soon follow each other', async () => {
  await create(['throw', 'throw']);
  await handle(STYLES['handle']!({}));
  const { deps } = createWorker(db, []);
  expect(await forgetLogRound({ ...deps, logTtlMs: 60_000 })).toBeGreaterThan(1_000);
  expect(await lines()).toHaveLength(2);
  await forgetLogRound({ ...deps, logTtlMs: 0 });
  expect(await lines()).toEqual([]);
});
