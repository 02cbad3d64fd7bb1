import { sql } from 'kysely';
import { describe, expect, test, vi } from 'vitest';
import { claimEvents } from '../database/events/claim.ts';
import { createEvents } from '../database/events/create.ts';
import { type BatchHandler, type KindHandler, type Outcome, SourceDownError } from '../handlers/handler.ts';
import { createRecordingReport } from '../tests/recording-report.ts';
import { useTestDatabase } from '../tests/test-database.ts';
import type { ConsumerDeps } from './options.ts';
import { createWorkerState, runWorker, workRound } from './worker.ts';

const database = await useTestDatabase();
const { db, letTimePass } = database;

const NEVER = new AbortController().signal;
const LONG_MS = 600_000;
const WAIT = { timeout: 5_000 };
const some = (count: number) => Array.from({ length: count }, () => ({}));
const row = (id: number) => db.selectFrom('Events').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
const UNTOUCHED = { valor: null, processing: 0, attempts: 0, claimed_by: '', last_error: null };

async function count(condition: ReturnType<typeof sql>): Promise<number> {
  const { rows } = await sql<{ n: number }>`SELECT COUNT(*) AS n FROM Events WHERE ${condition}`.execute(db);
  return Number(rows[0]?.n);
}
const held = () => count(sql`processing = 1`);
const filled = () => count(sql`valor <> ''`);

type HandleBatch = BatchHandler['handleBatch'];

const POLICY = { kind: 'word', attempts: 2, retryDelayMs: () => 60_000, timeoutMs: LONG_MS };

function createWorker(
  handleBatch: HandleBatch,
  { batch = 10, concurrency = 1, ...options }: Partial<ConsumerDeps & Pick<BatchHandler, 'batch' | 'concurrency'>> = {},
) {
  return createWorkerOf([{ ...POLICY, style: 'batch', batch, concurrency, handleBatch }], options);
}

function createWorkerOf(handlers: KindHandler[], options: Partial<ConsumerDeps> = {}) {
  const report = createRecordingReport();
  const giveUp = new AbortController();
  const pace = { pollMs: 5, leaseMs: 30_000, once: true };
  const deps: ConsumerDeps = { db, report, claimedBy: 'a', giveUp: giveUp.signal, ...pace, ...options };
  const state = createWorkerState(deps, handlers);
  return { deps, report, state, giveUp, run: (signal = NEVER) => runWorker(deps, state, signal) };
}

/** A handler that answers when the test does. */
function createHandHandler() {
  const calls: { ids: number[]; answer: (outcomes: Outcome[]) => void }[] = [];
  const handleBatch: HandleBatch = (events, { signal }) => {
    const { promise, resolve, reject } = Promise.withResolvers<Outcome[]>();
    calls.push({ ids: events.map(({ id }) => id), answer: resolve });
    signal.addEventListener('abort', () => reject(signal.reason as Error));
    return promise;
  };
  return { calls, handleBatch };
}

const busy: HandleBatch = () => Promise.reject(new SourceDownError(LONG_MS));
const named: HandleBatch = async (events) => events.map(({ id }) => ({ valor: `palavra-${id}` }));

describe('a worker', () => {
  test('fills everything that is due, each event with its own value, and with `once` ends then', async () => {
    await createEvents(db, some(25));
    const { run, report } = createWorker(named);
    await run();
    expect(await count(sql`valor = CONCAT('palavra-', id) AND processing = 0 AND attempts = 1`)).toBe(25);
    expect(report.filled.mock.calls.map(([fills, lost]) => [fills.length, lost])).toEqual([
      [10, 0],
      [10, 0],
      [5, 0],
    ]);
  });

  test('rests for about a poll when nothing is due', async () => {
    const { run, state } = createWorker(named, { once: false, pollMs: 1_000 });
    const delayMs = await workRound(deps, state);
    expect(delayMs).toBeGreaterThanOrEqual(900);
    expect(delayMs).toBeLessThanOrEqual(1_100);
  });

  test('looks no further back than its cursor, but with `once` at all that is due', async () => {
    await createEvents(db, some(1));
    for (const once of [false, true]) {
      const { run, state } = createWorker(named, { once });
      state.cursor = (claim) => claim(new Date('2037-01-01'));
      await workRound(deps, state);
      await Promise.all(state.running);
      expect(await filled()).toBe(once ? 1 : 0);
    }
  });

  test('finds what came to lie before its cursor', async () => {
    const stop = new AbortController();
    const running = createWorker(named, { once: false }).run(stop.signal);
    await createEvents(db, some(1));
    await expect.poll(filled).toBe(1);
    await sql`INSERT INTO Events (id, due_at) VALUES (2, NOW(3) - INTERVAL 1 HOUR)`.execute(db);
    await expect.poll(filled, WAIT).toBe(2);
    stop.abort();
    await running;
  });

  test('looks for locked events only when there is nothing to claim', async () => {
    await createEvents(db, some(1));
    const { run, state } = createWorker(named);
    state.lookForLockedEvents = vi.fn<() => Promise<void>>();
    await workRound(deps, state);
    await Promise.all(state.running);
    expect(state.lookForLockedEvents).not.toHaveBeenCalled();
    await workRound(deps, state);
    expect(state.lookForLockedEvents).toHaveBeenCalledOnce();
  });

  test('claims under a name of its own each time, for an attempt may be given back and come again', async () => {
    await createEvents(db, some(2));
    await createWorker(named, { batch: 1 }).run(NEVER);
    const rows = await db.selectFrom('Events').select('claimed_by').execute();
    expect(new Set(rows.map(({ claimed_by }) => claimed_by)).size).toBe(2);
  });

  test('goes on looking for new events when nothing is due', async () => {
    const stop = new AbortController();
    const { deps } = createWorker(named, { once: false });
    const running = run(stop.signal);
    for (let n = 1; n <= 3; n++) {
      await createEvents(db, some(1));
      await expect.poll(filled).toBe(n);
    }
    stop.abort();
    await running;
  });

  test('goes round at once after a batch, also after one that was not full', async () => {
    const stop = new AbortController();
    const { calls, handleBatch } = createHandHandler();
    const { deps } = createWorker(handleBatch, { once: false, concurrency: 2, pollMs: 60_000 });
    await createEvents(db, some(3));
    const running = run(stop.signal);
    await expect.poll(() => calls.length, WAIT).toBe(1);
    await createEvents(db, some(2)); // a second batch may run, but a claim would have found nothing before
    calls[0]!.answer(calls[0]!.ids.map((id) => ({ valor: `palavra-${id}` })));
    await expect.poll(() => calls.length, WAIT).toBe(2);
    expect(calls.map(({ ids }) => ids.length)).toEqual([3, 2]);
    calls[1]!.answer(calls[1]!.ids.map((id) => ({ valor: `palavra-${id}` })));
    await expect.poll(filled, WAIT).toBe(5);
    stop.abort();
    await running;
  });

  test('does not let what comes wait longer than a poll for a batch that is running', async () => {
    const { calls, handleBatch } = createHandHandler();
    const stop = new AbortController();
    const { run, giveUp } = createWorker(handleBatch, { once: false, concurrency: 2 });
    await createEvents(db, some(1));
    const running = run(stop.signal);
    await expect.poll(() => calls.length, WAIT).toBe(1);
    await createEvents(db, some(1));
    await expect.poll(() => calls.length, WAIT).toBe(2);
    stop.abort();
    giveUp.abort();
    await running;
  });

  test('claims the next batch while another is running, and never holds more than its concurrency', async () => {
    await createEvents(db, some(24));
    const atOnce: number[] = [];
    let running = 0;
    const handleBatch: HandleBatch = async (events, signal) => {
      running++;
      // Three batches of two come together before any of them is answered.
      await vi.waitFor(() => expect(running).toBe(3), { timeout: 5_000, interval: 5 });
      atOnce.push(await held());
      await vi.waitFor(() => expect(atOnce.length % 3).toBe(0), { timeout: 5_000, interval: 1 });
      running = 0;
      return named(events, signal);
    };
    const { deps } = createWorker(handleBatch, { batch: 2, concurrency: 3 });
    await run();
    expect(await filled()).toBe(24);
    expect(atOnce).toEqual(Array.from({ length: 12 }, () => 6));
  });
});

describe('a handler that serves fewer than asked', () => {
  test('is asked for as many as it serves, and then for more again', async () => {
    await createEvents(db, some(23));
    const asked: number[] = [];
    const handleBatch: HandleBatch = async (events, signal) => {
      asked.push(events.length);
      return (await named(events, signal)).slice(0, 5);
    };
    const { run, report } = createWorker(handleBatch, { batch: 16 });
    await run();
    expect(asked).toEqual([16, 5, 6, 5, 3]);
    // What was given back for want of values has its first attempt still before it.
    expect(await count(sql`valor <> '' AND attempts = 1`)).toBe(23);
    expect(report.handlerDown).not.toHaveBeenCalled();
  });
});

describe('a handler that is down', () => {
  test('is asked with no event at stake until it works; nothing is claimed, and no attempt counts', async () => {
    await createEvents(db, some(8));
    const asked: number[] = [];
    const atStake: number[] = [];
    const handleBatch: HandleBatch = async (events, signal) => {
      asked.push(events.length);
      if (events.length === 0) atStake.push(await count(sql`processing = 1 OR attempts > 0`));
      if (atStake.length < 2) throw new Error('out of order');
      return named(events, signal);
    };
    const { run, report } = createWorker(handleBatch, { batch: 4, concurrency: 2 });
    await run();

    expect(atStake).toEqual([0, 0]);
    expect(asked.indexOf(0)).toBeLessThanOrEqual(2);
    expect(await count(sql`valor <> '' AND attempts = 1`)).toBe(8);
    expect(report.handlerDown.mock.calls).toEqual([['word', new Error('out of order')]]);
    expect(report.handlerBack).toHaveBeenCalledOnce();
    expect(report.trouble).not.toHaveBeenCalled();
  });

  test('is left alone for as long as it wants', async () => {
    await createEvents(db, some(1));
    const { run, state } = createWorker(busy);
    await workRound(deps, state);
    await Promise.all(state.running);
    expect(await workRound(deps, state)).toBeGreaterThan(LONG_MS - 10_000);
  });

  test('does not keep a worker from stopping', async () => {
    await createEvents(db, some(1));
    const stop = new AbortController();
    const { run, report } = createWorker(busy);
    const running = run(stop.signal);
    await vi.waitFor(() => expect(report.handlerDown).toHaveBeenCalled());
    stop.abort();
    await running;
    expect(await row(1)).toMatchObject(UNTOUCHED);
  });
});

test('a claim that the database refuses is reported, and the next round follows', async () => {
  await createEvents(db, some(3));
  const { run, report } = createWorker(named);
  await sql`RENAME TABLE Events TO Elsewhere`.execute(db);
  const running = run();
  try {
    await vi.waitFor(() => expect(report.trouble).toHaveBeenCalled(), { timeout: 5_000 });
  } finally {
    await sql`RENAME TABLE Elsewhere TO Events`.execute(db);
  }
  await running;
  expect(report.trouble.mock.calls).toEqual([['could not claim', expect.any(Error)]]);
  expect(await filled()).toBe(3);
});

test('a look for locked events that fails is reported, and the next claim comes after the usual pause', async () => {
  const { run, state, report } = createWorker(named, { once: false });
  state.cursor = async () => ({ claims: [], nextSince: new Date() });
  await sql`RENAME TABLE Events TO Elsewhere`.execute(db);
  try {
    expect(await workRound(deps, state)).toBeLessThan(10);
  } finally {
    await sql`RENAME TABLE Elsewhere TO Events`.execute(db);
  }
  expect(report.trouble.mock.calls).toEqual([['could not look for locked events', expect.any(Error)]]);
});

test('a claim that is lost while its value is made changes nothing, and the worker goes on', async () => {
  await createEvents(db, some(1));
  const { calls, handleBatch } = createHandHandler();
  const { run, state, report } = createWorker(handleBatch);
  await workRound(deps, state);
  await letTimePass();
  await claimEvents(db, { claimedBy: 'b/1', limit: 1, leaseMs: 30_000 });
  const before = await row(1);
  calls[0]!.answer([{ valor: 'tarde' }]);
  await Promise.all(state.running);
  expect(await row(1)).toEqual(before);
  expect(report.filled.mock.calls).toEqual([[[], 1, expect.any(Number)]]);
  expect(await workRound(deps, state)).toBe('done');
});

describe('stopping', () => {
  test('claims no more and finishes what is held', async () => {
    await createEvents(db, some(6));
    const stop = new AbortController();
    const { calls, handleBatch } = createHandHandler();
    const { deps } = createWorker(handleBatch, { batch: 2, concurrency: 2, once: false });
    const running = run(stop.signal);
    await vi.waitFor(() => expect(calls).toHaveLength(2));
    const ended = vi.fn<() => void>();
    void running.then(ended);
    stop.abort();
    calls[0]!.answer([{ valor: 'mar' }, { valor: 'sol' }]);
    await expect.poll(filled).toBe(2);
    expect(ended).not.toHaveBeenCalled();
    calls[1]!.answer([{ valor: 'rio' }, { valor: 'pão' }]);
    await running;
    expect(calls).toHaveLength(2);
    expect(await filled()).toBe(4);
    for (const id of [5, 6]) expect(await row(id)).toMatchObject(UNTOUCHED);
  });

  test('does not wait for the next look at the table', async () => {
    const stop = new AbortController();
    const running = createWorker(named, { once: false, pollMs: LONG_MS }).run(stop.signal);
    stop.abort();
    await running;
  });

  test('and giving up gives back what is held, and blames neither the events nor the handler', async () => {
    await createEvents(db, some(4));
    const stop = new AbortController();
    const { calls, handleBatch } = createHandHandler();
    const { run, report, giveUp } = createWorker(handleBatch, { batch: 2, concurrency: 2, once: false });
    const running = run(stop.signal);
    await vi.waitFor(() => expect(calls).toHaveLength(2));
    stop.abort();
    giveUp.abort();
    await running;
    for (const id of [1, 2, 3, 4]) expect(await row(id)).toMatchObject(UNTOUCHED);
    expect(report.released.mock.calls).toEqual([
      [2, 'shutting down'],
      [2, 'shutting down'],
    ]);
    expect(report.handlerDown).not.toHaveBeenCalled();
  });
});

test('a handler that serves none of its events counts as down, and is left alone for a while', async () => {
  await createEvents(db, some(3));
  const handleBatch = vi.fn<HandleBatch>(() => Promise.resolve([]));
  const { run, report, state } = createWorker(handleBatch);
  await workRound(deps, state);
  await Promise.all(state.running);
  expect(await workRound(deps, state)).toBeGreaterThan(500);
  expect(handleBatch).toHaveBeenCalledTimes(1);
  expect(report.handlerDown).toHaveBeenCalledTimes(1);
  expect(await row(1)).toMatchObject(UNTOUCHED);
});

test('stopping does not wait for the answer of a handler that is down', async () => {
  const stop = new AbortController();
  const asked = Promise.withResolvers<void>();
  const { run, state } = createWorker((_, signal) => {
    asked.resolve();
    return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('stopped'))));
  });
  state.breaker.open(new SourceDownError());
  await expect.poll(() => state.breaker.state(), { timeout: 5_000 }).toBe('half-open');
  const round = workRound(deps, state);
  await asked.promise;
  stop.abort();
  expect(await round).toBe(0);
});

test('a handler that refuses large batches gets smaller ones until all is filled', async () => {
  await createEvents(db, some(20));
  const handleBatch: HandleBatch = async (events) => {
    if (events.length > 3) throw new SourceDownError(1);
    return events.map(() => ({ valor: 'pouco' }));
  };
  const { run, report, state } = createWorker(handleBatch);
  let delayMs: number | 'done' = 0;
  await vi.waitFor(
    async () => {
      delayMs = await workRound(deps, state);
      await Promise.all(state.running);
      expect(delayMs).toBe('done');
    },
    { timeout: 20_000, interval: 5 },
  );
  expect(await filled()).toBe(20);
  expect(report.handlerDown.mock.calls.length).toBeLessThan(8);
});

test('a claim that was full when it was asked for stays so when larger ones have been allowed meanwhile', async () => {
  await createEvents(db, some(20));
  const { calls, handleBatch } = createHandHandler();
  const { run, state } = createWorker(handleBatch, { concurrency: 2, pollMs: LONG_MS });
  const round = workRound(deps, state);
  state.limit = 11; // as when another batch succeeds
  expect(await round).toBe(0);
  expect(calls.map(({ ids }) => ids.length)).toEqual([10]);
});
