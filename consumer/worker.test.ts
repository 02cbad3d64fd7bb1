import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { createConnection } from 'mysql2/promise';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { claimEvents } from '../database/events/claim.ts';
import { createEvents } from '../database/events/create.ts';
import type { Outcome } from '../handlers/handler.ts';
import { SourceDownError } from '../handlers/handler.ts';
import { afterFirst } from '../tests/first-answer.ts';
import { useTestDatabase } from '../tests/test-database.ts';
import {
  batchHandler,
  createHandHandler,
  createWorker,
  type HandleBatch,
  singleHandler,
} from '../tests/test-worker.ts';
import { workRound } from './worker.ts';

const database = await useTestDatabase();
const { db, letTimePass } = database;

const LONG_MS = 600_000;
const WAIT = { timeout: 10_000 };
const some = (count: number, event = {}) => Array.from({ length: count }, () => event);
const row = (id: number) => db.selectFrom('Events').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
const GIVEN_BACK = { valor: null, processing: 0, failures: 0, claimed_by: '', last_error: null };

async function count(condition: ReturnType<typeof sql>): Promise<number> {
  const { rows } = await sql<{ n: number }>`SELECT COUNT(*) AS n FROM Events WHERE ${condition}`.execute(db);
  return Number(rows[0]?.n);
}
const held = () => count(sql`processing = 1`);
const filled = () => count(sql`valor <> ''`);

const named: HandleBatch = async (events) => events.map(({ id }) => ({ valor: `palavra-${id}` }));
const words = (...valores: string[]): Outcome[] => valores.map((valor) => ({ valor }));

describe('a worker', () => {
  test('fills everything that is due, each event with its own value, and with `once` ends then', async () => {
    await createEvents(db, some(25));
    const { run, report } = createWorker(db, [batchHandler(named)]);
    await run();
    expect(await count(sql`valor = CONCAT('palavra-', id) AND processing = 0 AND attempts = 1`)).toBe(25);
    expect(report.filled.mock.calls.flatMap(([fills]) => fills)).toHaveLength(25);
    expect(report.filled.mock.calls.every(([, lost]) => lost === 0)).toBe(true);
  });

  test('looks for new events as often as it polls, and less often the longer none comes', async () => {
    const { deps, state, run } = createWorker(db, [batchHandler(named)], { once: false, pollMs: 1_000 });
    expect(await workRound(deps, state)).toBeGreaterThanOrEqual(900);
    await createEvents(db, some(1));
    expect(await workRound(deps, state)).toBeLessThan(500);
    await expect.poll(filled).toBe(1);
    const pauses: number[] = [];
    while (pauses.length < 100 && state.pollMs < 1_000) pauses.push((await workRound(deps, state)) as number);
    expect(pauses.reduce((sum, ms) => sum + ms)).toBeLessThan(3_000);
    expect(await workRound(deps, state)).toBeLessThanOrEqual(1_100);
    await run(AbortSignal.abort());
  });

  test('looks no further back than its cursor, but with `once` at all that is due', async () => {
    await createEvents(db, some(1));
    await sql`UPDATE Kinds SET looked_at = '2037-01-01'`.execute(db);
    for (const once of [false, true]) {
      const { deps, state, run } = createWorker(db, [batchHandler(named)], { once });
      state.since.set('word', '2037-01-01 00:00:00');
      await workRound(deps, state);
      await run(AbortSignal.abort());
      expect(await filled()).toBe(once ? 1 : 0);
    }
    await sql`UPDATE Kinds SET looked_at = '2000-01-01'`.execute(db);
  });

  test('finds within a second what came to lie before its cursor', async () => {
    const stop = new AbortController();
    const running = createWorker(db, [batchHandler(named)], { once: false }).run(stop.signal);
    await createEvents(db, some(1));
    await expect.poll(filled).toBe(1);
    await sql`INSERT INTO Events (id, due_at) VALUES (2, UTC_TIMESTAMP(3) - INTERVAL 1 HOUR)`.execute(db);
    await expect.poll(filled, WAIT).toBe(2);
    stop.abort();
    await running;
  });

  test('takes over what a dead consumer held, and counts a failure', async () => {
    await createEvents(db, some(2));
    await claimEvents(db, { claimedBy: 'b', leaseMs: 1, kinds: [{ kind: 'word', limit: 1, maxFailures: 5 }] });
    const { run } = createWorker(db, [batchHandler(named)]);
    await expect.poll(async () => count(sql`lease_until < UTC_TIMESTAMP(3)`)).toBe(2);
    await run();
    expect(await row(1)).toMatchObject({ valor: 'palavra-1', attempts: 2, failures: 1 });
    expect(await row(2)).toMatchObject({ valor: 'palavra-2', attempts: 1, failures: 0 });
  });

  test('looks for locked events only when nothing has been due for a while', async () => {
    await createEvents(db, some(1));
    const { deps, state } = createWorker(db, [batchHandler(named)], { once: false });
    state.lookForLockedEvents = vi.fn<() => Promise<void>>();
    await workRound(deps, state);
    expect(state.lookForLockedEvents).not.toHaveBeenCalled();
    await expect.poll(filled).toBe(1);
    await workRound(deps, state);
    expect(state.lookForLockedEvents).toHaveBeenCalledOnce();
  });

  test('is woken by a create of the same process', async () => {
    const stop = new AbortController();
    const { run, state } = createWorker(db, [batchHandler(named)], { once: false, pollMs: LONG_MS });
    const wait = vi.spyOn(state.bell, 'wait');
    const running = run(stop.signal);
    await vi.waitFor(() => expect(wait).toHaveBeenCalled(), 20_000);
    await createEvents(db, some(1));
    await expect.poll(filled, WAIT).toBe(1);
    stop.abort();
    await running;
  });

  test('goes round at once after a batch, also after one that was not full', async () => {
    const stop = new AbortController();
    const { calls, called, handleBatch } = createHandHandler();
    const { run } = createWorker(db, [batchHandler(handleBatch)], { once: false, pollMs: LONG_MS });
    await createEvents(db, some(3));
    const running = run(stop.signal);
    await called(1);
    await sql`CALL create_events('[{},{}]')`.execute(db); // as another process does
    calls[0]!.answer(words('a', 'b', 'c'));
    await called(2);
    expect(calls.map(({ ids }) => ids.length)).toEqual([3, 2]);
    calls[1]!.answer(words('d', 'e'));
    await expect.poll(filled, WAIT).toBe(5);
    stop.abort();
    await running;
  });

  test('does not let what comes wait for a batch that is running', async () => {
    const { called, handleBatch } = createHandHandler();
    const stop = new AbortController();
    const { run, giveUp } = createWorker(db, [batchHandler(handleBatch, { concurrency: 2 })], { once: false });
    await createEvents(db, some(1));
    const running = run(stop.signal);
    await called(1);
    await sql`CALL create_events('[{}]')`.execute(db);
    await called(2);
    stop.abort();
    giveUp.abort();
    await running;
  });

  test('runs as many batches at once as it may, and claims no more than as many again', async () => {
    await createEvents(db, some(24));
    const { calls, called, handleBatch } = createHandHandler();
    const { run } = createWorker(db, [batchHandler(handleBatch, { batch: 2, concurrency: 3 })]);
    const running = run();
    for (let answered = 0; answered < 12; answered++) {
      await called(Math.min(answered + 3, 12));
      expect(calls.length).toBeLessThanOrEqual(answered + 3);
      expect(await held()).toBeLessThanOrEqual(12);
      calls[answered]!.answer(words('mar', 'sol'));
    }
    await running;
    expect(await filled()).toBe(24);
  });

  test('serves several kinds, and a backlog of one does not keep the other waiting', async () => {
    await createEvents(db, [...some(500), { kind: 'job' }]);
    const order: number[] = [];
    const seen: HandleBatch = async (events, context) => {
      order.push(...events.map(({ id }) => id));
      return named(events, context);
    };
    const job = singleHandler(async ({ id }) => {
      order.push(id);
      return { valor: '1' };
    });
    await createWorker(db, [batchHandler(seen), job]).run();
    expect(await filled()).toBe(501);
    expect(order.indexOf(501)).toBeLessThanOrEqual(10);
  });
});

describe('a handler that serves fewer than asked', () => {
  test('is asked for as many as it serves, and then for more again', async () => {
    await createEvents(db, some(23));
    const asked: number[] = [];
    const handleBatch: HandleBatch = async (events, context) => {
      asked.push(events.length);
      return (await named(events, context)).slice(0, 5);
    };
    const { run, report } = createWorker(db, [batchHandler(handleBatch, { batch: 16 })]);
    await run();
    expect(asked.slice(0, 2)).toEqual([16, 5]);
    expect(Math.max(...asked.slice(1))).toBeLessThanOrEqual(8); // a claim that finds fewer is served whole, too
    // What was given back for want of values has all its attempts still before it.
    expect(await count(sql`valor <> '' AND failures = 0`)).toBe(23);
    expect(report.handlerDown).not.toHaveBeenCalled();
  });
});

describe('a handler whose source is down', () => {
  test('is asked with one event until it works; no other is claimed, and no attempt counts', async () => {
    await createEvents(db, some(8));
    const asked: number[] = [];
    const handleBatch: HandleBatch = async (events, context) => {
      asked.push(events.length);
      if (asked.length < 4) throw new SourceDownError(1, 'out of order');
      return named(events, context);
    };
    const { run, report } = createWorker(db, [batchHandler(handleBatch, { batch: 4 })], { once: false });
    const stop = new AbortController();
    const running = run(stop.signal);
    await expect.poll(filled, WAIT).toBe(8);
    stop.abort();
    await running;
    expect(asked.slice(0, 4)).toEqual([4, 1, 1, 1]);
    expect(await count(sql`failures = 0`)).toBe(8);
    expect(report.handlerDown.mock.calls).toEqual([['word', expect.any(SourceDownError)]]);
    expect(report.handlerBack).toHaveBeenCalledOnce();
    expect(report.trouble).not.toHaveBeenCalled();
  });

  test('is left alone for as long as it wants, and keeps no other kind from being served', async () => {
    await createEvents(db, [{}, { kind: 'job' }]);
    const busy = batchHandler(() => Promise.reject(new SourceDownError(LONG_MS)));
    const { deps, state, run, report } = createWorker(db, [busy], { once: false });
    await workRound(deps, state);
    await vi.waitFor(() => expect(report.handlerDown).toHaveBeenCalled(), 20_000);
    expect(state.kinds[0]!.pauseMs()).toBeGreaterThan(LONG_MS - 10_000);
    expect(state.kinds[0]!.request()).toBeUndefined();
    await run(AbortSignal.abort());
    expect(await row(1)).toMatchObject(GIVEN_BACK);

    const both = createWorker(db, [busy, singleHandler(async () => ({ valor: '1' }))], { once: false });
    const stop = new AbortController();
    const running = both.run(stop.signal);
    await expect.poll(() => row(2), WAIT).toMatchObject({ valor: '1' });
    stop.abort();
    await running;
  });

  test('pauses one kind at a time, for single events as well', async () => {
    await createEvents(db, some(20, { kind: 'job' }));
    const handleEvent = vi.fn<() => Promise<Outcome>>(() => Promise.reject(new SourceDownError(LONG_MS)));
    const { deps, state, run, report } = createWorker(db, [singleHandler(handleEvent)], { once: false });
    await workRound(deps, state);
    await vi.waitFor(() => expect(report.released).toHaveBeenCalled(), 20_000);
    expect(state.kinds[0]!.pauseMs()).toBeGreaterThan(LONG_MS - 10_000);
    expect(state.kinds[0]!.request()).toBeUndefined();
    await run(AbortSignal.abort());
    expect(handleEvent).toHaveBeenCalledTimes(10);
    expect(report.handlerDown).toHaveBeenCalledOnce();
    expect(await count(sql`processing = 2 AND failures = 0`)).toBe(20);
  });

  test('that serves none of its events counts as down', async () => {
    await createEvents(db, some(3));
    const { deps, state, report, run } = createWorker(db, [batchHandler(() => Promise.resolve([]))], { once: false });
    await workRound(deps, state);
    await vi.waitFor(() => expect(report.handlerDown).toHaveBeenCalledOnce(), 20_000);
    expect(await workRound(deps, state)).toBeGreaterThan(500);
    await run(AbortSignal.abort());
    expect(await row(1)).toMatchObject(GIVEN_BACK);
  });

  test('gets smaller batches until all is filled', async () => {
    await createEvents(db, some(20));
    const handleBatch: HandleBatch = async (events) => {
      if (events.length > 3) throw new SourceDownError(1);
      return events.map(() => ({ valor: 'pouco' }));
    };
    const stop = new AbortController();
    const running = createWorker(db, [batchHandler(handleBatch)], { once: false }).run(stop.signal);
    await expect.poll(filled, { timeout: 20_000 }).toBe(20);
    stop.abort();
    await running;
  });
});

test('an event that makes its handler fail for the whole batch fails by itself in the end, and harms no other', async () => {
  await createEvents(db, some(30));
  const handleBatch: HandleBatch = async (events, context) => {
    if (events.some(({ id }) => id === 17)) throw new Error('17 is too much');
    return named(events, context);
  };
  const { run, report } = createWorker(db, [batchHandler(handleBatch)]);
  await run();
  expect(await filled()).toBe(29);
  expect(await row(17)).toMatchObject({ valor: null, failures: 1, last_error: '17 is too much' });
  expect(await count(sql`failures > 0`)).toBe(1);
  expect(report.handlerDown).not.toHaveBeenCalled();
});

test('on its last attempt an event that lost its consumer runs alone, so that it dies or is handled alone', async () => {
  await createEvents(db, some(6, { kind: 'job' }));
  await sql`UPDATE Events SET failures = 1, last_error = 'its consumer died' WHERE id IN (2, 5)`.execute(db);
  const atOnce: Record<number, number> = {};
  let running = 0;
  const handler = singleHandler(async ({ id }) => {
    running++;
    await sql`SELECT SLEEP(0.02)`.execute(db);
    atOnce[id] = running;
    await sql`SELECT SLEEP(0.02)`.execute(db);
    running--;
    return { valor: '1' };
  });
  await createWorker(db, [handler]).run();
  expect(await filled()).toBe(6);
  expect([atOnce[2], atOnce[5]]).toEqual([1, 1]);
  expect(Math.max(...Object.values(atOnce))).toBeGreaterThan(1);
});

test('an event that must run alone and is locked by another connection does not keep the worker busy', async () => {
  await createEvents(db, some(1, { kind: 'job' }));
  await sql`UPDATE Events SET failures = 1, last_error = 'its consumer died'`.execute(db);
  const client = await createConnection({ uri: database.url });
  onTestFinished(() => client.destroy());
  await client.beginTransaction();
  await client.query('SELECT id FROM Events FOR UPDATE');
  const { deps, state, run } = createWorker(db, [singleHandler(async () => ({ valor: '1' }))], { once: false });
  await workRound(deps, state);
  expect(state.suspected).toBeDefined();
  expect(await workRound(deps, state)).toBeGreaterThan(0);
  await client.rollback();
  const stop = new AbortController();
  const running = run(stop.signal);
  await expect.poll(filled, WAIT).toBe(1);
  stop.abort();
  await running;
});

test('a claim that the database refuses is reported, and the next round follows', async () => {
  await createEvents(db, some(3));
  const { run, report } = createWorker(db, [batchHandler(named)]);
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

test('a claim that is lost while its value is made changes nothing, and the worker goes on', async () => {
  await createEvents(db, some(1));
  const { called, handleBatch } = createHandHandler();
  const { run, report } = createWorker(db, [batchHandler(handleBatch)]);
  const running = run();
  const { answer } = await called(1);
  await letTimePass();
  await claimEvents(db, { claimedBy: 'b', leaseMs: 30_000, kinds: [{ kind: 'word', limit: 1, maxFailures: 5 }] });
  const before = await row(1);
  answer(words('tarde'));
  await running;
  expect(await row(1)).toEqual(before);
  expect(report.filled.mock.calls).toEqual([[[], 1, expect.any(Number)]]);
});

test('what was lost before the answer to its claim is read does not begin; what is still held does', async () => {
  await createEvents(db, some(2));
  const other = { claimedBy: 'b', leaseMs: 30_000, kinds: [{ kind: 'word', limit: 1, maxFailures: 5 }] };
  const slow = afterFirst(database.connect(), 'claim_events', async () => {
    await sql`UPDATE Events SET lease_until = UTC_TIMESTAMP(3) + INTERVAL IF(id = 1, -1, 30) SECOND`.execute(db);
    await claimEvents(db, other);
    await sleep(2_000);
  });
  const handleBatch = vi.fn(named);
  const { run, report } = createWorker(slow, [batchHandler(handleBatch)], { leaseMs: 2_000 });
  await run();
  expect(report.filled).toHaveBeenCalledWith([], 1, expect.any(Number));
  expect(handleBatch.mock.calls.map(([events]) => events.map(({ id }) => id))).toEqual([[2]]);
  expect(await row(1)).toMatchObject({ claimed_by: 'b', attempts: 2, valor: null });
  expect(await row(2)).toMatchObject({ claimed_by: 'a', attempts: 1, valor: 'palavra-2' });
});

test('a consumer that wins an event again does not take the outcome of its first run for that of the second', async () => {
  await createEvents(db, some(1, { kind: 'job' }));
  const { calls, called, handleEvent } = createHandHandler();
  // With attempts enough that the second run need not be alone.
  const { run, report } = createWorker(db, [singleHandler(handleEvent, { attempts: 5 })], { once: false });
  const stop = new AbortController();
  const running = run(stop.signal);
  await called(1);
  await letTimePass();
  await called(2);
  calls[0]!.answer([{ valor: '"first"' }]);
  await vi.waitFor(() => expect(report.filled).toHaveBeenCalledWith([], 1, expect.any(Number)), WAIT);
  expect(calls[1]!.signal.aborted).toBe(false);
  calls[1]!.answer([{ valor: '"second"' }]);
  stop.abort();
  await running;
  expect(await row(1)).toMatchObject({ valor: '"second"', attempts: 2, failures: 1 });
});

describe('stopping', () => {
  test('claims no more and finishes what is held', async () => {
    await createEvents(db, some(6));
    const stop = new AbortController();
    const { calls, called, handleBatch } = createHandHandler();
    const { run } = createWorker(db, [batchHandler(handleBatch, { batch: 2, concurrency: 2 })], { once: false });
    const running = run(stop.signal);
    await called(2);
    const ended = vi.fn<() => void>();
    void running.then(ended);
    stop.abort();
    calls[0]!.answer(words('mar', 'sol'));
    await expect.poll(filled).toBe(2);
    expect(ended).not.toHaveBeenCalled();
    calls[1]!.answer(words('rio', 'pão'));
    await running;
    expect(calls).toHaveLength(2);
    expect(await filled()).toBe(4);
    for (const id of [5, 6]) expect(await row(id)).toMatchObject({ ...GIVEN_BACK, attempts: 0 });
  });

  test('does not wait for the next look at the table', async () => {
    const stop = new AbortController();
    const running = createWorker(db, [batchHandler(named)], { once: false, pollMs: LONG_MS }).run(stop.signal);
    stop.abort();
    await running;
  });

  test.each(['batch', 'single'] as const)(
    'and giving up gives back what is held, whatever a handler of the style %s does about its signal',
    async (style) => {
      await createEvents(db, some(4, style === 'single' ? { kind: 'job' } : {}));
      const stop = new AbortController();
      const { calls, handleBatch, handleEvent } = createHandHandler();
      const handler = style === 'single' ? singleHandler(handleEvent) : batchHandler(handleBatch);
      const { run, report, giveUp } = createWorker(db, [handler], { once: false });
      const running = run(stop.signal);
      await vi.waitFor(() => expect(calls.flatMap(({ ids }) => ids)).toHaveLength(4), WAIT);
      stop.abort();
      giveUp.abort();
      await running;
      expect(calls.every(({ signal }) => signal.aborted)).toBe(true);
      const processing = style === 'single' ? 2 : 0;
      for (const id of [1, 2, 3, 4]) expect(await row(id)).toMatchObject({ ...GIVEN_BACK, processing });
      // More often than once if a claim was under way, and took them again.
      expect(new Set(report.released.mock.calls.map(([, why]) => why))).toEqual(new Set(['shutting down']));
      expect(report.handlerDown).not.toHaveBeenCalled();
    },
  );
});
