import { sql } from 'kysely';
import { createConnection } from 'mysql2/promise';
import { expect, onTestFinished, test, vi } from 'vitest';
import { claimEvents } from '../database/events/claim.ts';
import { createEvents } from '../database/events/create.ts';
import type { BatchHandler } from '../handlers/handler.ts';
import { toHandlers } from '../handlers/handlers.ts';
import { createRecordingReport } from '../tests/recording-report.ts';
import { useTestDatabase } from '../tests/test-database.ts';
import { batchHandler, type HandleBatch } from '../tests/test-worker.ts';
import { createLookForLockedEvents } from './locked-events.ts';
import type { ConsumerOptions } from './options.ts';
import { runConsumer } from './run-consumer.ts';

/** Another connection keeps the row of one event locked, as a client does that leaves its transaction open. */

const database = await useTestDatabase();
const { db } = database;
const LOCKED = 50;
const row = (id: number) => db.selectFrom('Events').selectAll().where('id', '=', id).executeTakeFirstOrThrow();

async function count(condition: ReturnType<typeof sql>): Promise<number> {
  const { rows } = await sql<{ n: number }>`SELECT COUNT(*) AS n FROM Events WHERE ${condition}`.execute(db);
  return Number(rows[0]?.n);
}
const filled = () => count(sql`valor <> ''`);

/** Locks the row until `unlock` is called. */
async function lock(id: number) {
  const client = await createConnection({ uri: database.url });
  onTestFinished(() => client.destroy());
  await client.beginTransaction();
  await client.query(`SELECT id FROM Events WHERE id = ${id} FOR UPDATE`);
  return { unlock: () => client.rollback() };
}

/** A consumer at work on 100 events; one of them is locked during the first call of its handler. */
async function startOnLocked(
  firstCall: HandleBatch,
  { concurrency = 2, ...options }: Partial<ConsumerOptions & Pick<BatchHandler, 'concurrency'>> = {},
) {
  await createEvents(
    db,
    Array.from({ length: 100 }, () => ({})),
  );
  const stop = new AbortController();
  const report = createRecordingReport();
  const handled = Promise.withResolvers<{ unlock: () => Promise<void> }>();
  const handleBatch = vi.fn<HandleBatch>(words).mockImplementationOnce(async (events, context) => {
    handled.resolve(await lock(LOCKED));
    return firstCall(events, context);
  });
  const handlers = toHandlers([batchHandler(handleBatch, { batch: 1_000, concurrency })]);
  const running = runConsumer({ db, handlers, report, signal: stop.signal, pollMs: 20, ...options });
  onTestFinished(async () => {
    stop.abort();
    await running;
  });
  const { unlock } = await handled.promise;
  return { report, unlock, stop, running };
}

// What must happen while the lock lasts is awaited before `unlock`; how soon it happens is up to the machine.
const WAIT = { timeout: 10_000, interval: 20 };
const realNow = performance.now.bind(performance);

/** From now on the clock of this process is so many minutes ahead. */
function setClock(minutes: number): void {
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => realNow() + minutes * 60_000);
  onTestFinished(() => {
    clock.mockRestore();
  });
}

const words: HandleBatch = async (events) => events.map(() => ({ valor: 'mar' }));

test('99 events of a batch are filled at once, the locked one is named, and filled when the lock is gone', async () => {
  let handledAt = Infinity;
  const { report, unlock } = await startOnLocked(async (events, context) => {
    handledAt = performance.now();
    return words(events, context);
  });
  await vi.waitFor(() => expect(report.filled).toHaveBeenCalled(), WAIT);
  expect(performance.now() - handledAt).toBeLessThan(1_000);
  expect(await filled()).toBe(99);
  await vi.waitFor(() => expect(report.locked).toHaveBeenCalled(), WAIT);
  expect(report.locked.mock.calls).toEqual([[[LOCKED], expect.any(Number)]]);
  const [, ms] = report.locked.mock.calls[0]!;
  expect(ms).toBeGreaterThanOrEqual(5_000);
  expect(Number.isInteger(ms)).toBe(true);
  expect(await filled()).toBe(99);

  await unlock();
  await expect.poll(filled, WAIT).toBe(100);
  // It was its first attempt, and nothing was lost or reported twice.
  expect(await row(LOCKED)).toMatchObject({ attempts: 1 });
  const expected = [
    [99, 0],
    [1, 0],
  ];
  await vi.waitFor(
    () => expect(report.filled.mock.calls.map(([fills, lost]) => [fills.length, lost])).toEqual(expected),
    WAIT,
  );
  expect(report.locked).toHaveBeenCalledOnce();
});

test('a failed attempt is written when the lock is gone', async () => {
  const failure = { failure: 'no word' };
  const { unlock, report } = await startOnLocked(async (events) =>
    events.map(({ id }) => (id === LOCKED ? failure : { valor: 'mar' })),
  );
  await expect.poll(filled, WAIT).toBe(99);
  expect(await row(LOCKED)).toMatchObject({ processing: 1, last_error: null });
  await unlock();
  await expect.poll(() => row(LOCKED), WAIT).toMatchObject({ processing: 0, last_error: 'no word' });
  await vi.waitFor(() => expect(report.failed).toHaveBeenCalledOnce(), WAIT);
});

test('an event that is given back while it is locked comes again when the lock is gone', async () => {
  const { unlock, report } = await startOnLocked(async (events, context) =>
    (await words(events, context)).slice(0, LOCKED - 1),
  );
  await expect.poll(filled, WAIT).toBe(99);
  await unlock();
  await expect.poll(filled, WAIT).toBe(100);
  expect(await row(LOCKED)).toMatchObject({ failures: 0, valor: 'mar' });
  expect(report.released.mock.calls.map(([events]) => events)).toEqual([50, 1]);
});

test('a locked event keeps no batch from being claimed', async () => {
  const { unlock } = await startOnLocked(words, { concurrency: 1 });
  await expect.poll(filled, WAIT).toBe(99);
  await createEvents(db, [{}, {}]);
  await expect.poll(filled, WAIT).toBe(101);
  await unlock();
  await expect.poll(filled, WAIT).toBe(102);
});

test('with `once` a consumer waits for the lock to go', async () => {
  const { unlock, running } = await startOnLocked(words, { once: true });
  await expect.poll(filled, WAIT).toBe(99);
  await unlock();
  await running;
  expect(await filled()).toBe(100);
});

test('when the lease is over the claim is lost, and the event is claimed again as soon as the lock is gone', async () => {
  const { unlock, report } = await startOnLocked(words, { leaseMs: 3_000 });
  const lost = () => report.filled.mock.calls.reduce((sum, [, lost]) => sum + lost, 0);
  await expect.poll(lost, WAIT).toBe(1);
  expect(await filled()).toBe(99);
  await unlock();
  await expect.poll(filled, WAIT).toBe(100);
  expect(await row(LOCKED)).toMatchObject({ attempts: 2 });
});

test('a locked event keeps no other lease of its batch from being renewed', async () => {
  const leaseMs = 3_000;
  const until = Promise.withResolvers<void>();
  await createEvents(db, [{}, {}]);
  const report = createRecordingReport();
  const handleBatch: HandleBatch = async (events) => {
    await until.promise;
    return events.map(() => ({ valor: 'mar' }));
  };
  const handlers = toHandlers([batchHandler(handleBatch)]);
  const running = runConsumer({ db, handlers, report, leaseMs, once: true });
  await expect.poll(() => count(sql`processing = 1`), WAIT).toBe(2);
  const { unlock } = await lock(1);
  // The row that is locked shows when both leases would have ended.
  const leaseEnd = (await row(1)).lease_until.getTime();
  await expect.poll(async () => (await row(2)).lease_until.getTime(), WAIT).toBeGreaterThan(leaseEnd + leaseMs);
  await unlock();
  until.resolve();
  await running;
  expect(await row(2)).toMatchObject({ valor: 'mar', attempts: 1 });
  expect(await filled()).toBe(2);
});

test('a consumer that gives up leaves a locked event to its lease, and says so', async () => {
  const { stop, running, report } = await startOnLocked(words, { finishMs: 300 });
  await expect.poll(filled, WAIT).toBe(99);
  stop.abort();
  await running;
  expect(report.locked).toHaveBeenLastCalledWith([LOCKED], expect.any(Number));
  expect(await row(LOCKED)).toMatchObject({ processing: 1, valor: null });
});

test('a due event that stays locked is passed over by every claim, and named from the second look on', async () => {
  await createEvents(db, [{}, {}]);
  await sql`UPDATE Events SET due_at = UTC_TIMESTAMP(3) - INTERVAL 1 HOUR WHERE id = 1`.execute(db);
  const { unlock } = await lock(1);
  const report = createRecordingReport();
  const look = createLookForLockedEvents({ db, report }, ['word']);
  const kinds = [{ kind: 'word', limit: 10, maxFailures: 5 }];
  const claims = async () => (await claimEvents(db, { claimedBy: 'a', leaseMs: 30_000, kinds }))[0]!.claims;
  expect(await claims()).toMatchObject([{ id: 2, attempt: 1 }]);
  await look();
  expect(report.locked).not.toHaveBeenCalled();
  setClock(1);
  await look();
  setClock(3);
  await look();
  await look();
  expect(report.locked.mock.calls).toEqual([
    [[1], expect.any(Number)],
    [[1], expect.any(Number)],
  ]);
  // It was due an hour ago; how long it has been locked is known only from the first look on.
  const minutes = report.locked.mock.calls.map(([, ms]) => ms / 60_000);
  expect(minutes).toEqual([expect.closeTo(1, 0), expect.closeTo(3, 0)]);

  await unlock();
  expect(await claims()).toMatchObject([{ id: 1, attempt: 1 }]);
  setClock(4);
  await look();
  expect(report.locked).toHaveBeenCalledTimes(2);
});
