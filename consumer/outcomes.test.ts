import { sql } from 'kysely';
import { createConnection } from 'mysql2/promise';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createEvents } from '../database/events/create.ts';
import { findEvent } from '../database/events/read.ts';
import type { Outcome } from '../handlers/handler.ts';
import { useTestDatabase } from '../tests/test-database.ts';
import { batchHandler, createWorker, type HandleBatch, type HandleEvent, singleHandler } from '../tests/test-worker.ts';

/** What is written of an event, for each way in which the call of its handler can end. */

const database = await useTestDatabase();
const { db, letTimePass } = database;

const row = (id: number) => db.selectFrom('Events').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
const job = { kind: 'job', payload: '{"to":"ana"}', key: 'client-5' };

/** Lets a handler have what is due now, once. */
async function handleOnce(handleEvent: HandleEvent, options: Parameters<typeof singleHandler>[1] = {}) {
  const { run, report } = createWorker(db, [singleHandler(handleEvent, options)]);
  await run();
  return report;
}

async function handleBatchOnce(handleBatch: HandleBatch) {
  const { run, report } = createWorker(db, [batchHandler(handleBatch)]);
  await run();
  return report;
}

describe('an event of any kind', () => {
  test('comes to its handler with all that is known of it', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await createEvents(db, [{ ...job, trace: `${traceparent} rojo=1` }]);
    const seen: unknown[] = [];
    await handleOnce(async (event) => {
      seen.push(event);
      return { valor: '"sent"' };
    });
    expect(seen).toEqual([
      {
        id: 1,
        kind: 'job',
        key: 'client-5',
        attempt: 1,
        failures: 0,
        waits: 0,
        createdAt: expect.any(Date),
        payload: { to: 'ana' },
        payloadText: '{"to":"ana"}',
        trace: { traceparent, tracestate: 'rojo=1' },
      },
    ]);
    expect(await row(1)).toMatchObject({ valor: '"sent"', processing: 0, failures: 0 });
  });

  test('fails with what its handler throws, waits as long as its policy says, and dies with its attempts', async () => {
    await createEvents(db, [job]);
    const fail: HandleEvent = () => Promise.reject(new Error('no such address', { cause: new Error('NXDOMAIN') }));
    const retryDelayMs = (failures: number) => failures * 3_600_000;
    const report = await handleOnce(fail, { retryDelayMs });
    const failed = await row(1);
    expect(failed).toMatchObject({
      processing: 2,
      failures: 1,
      last_error: 'no such address: NXDOMAIN',
      dead_reason: null,
    });
    expect(failed.due_at!.getTime() - Date.now()).toBeGreaterThan(3_500_000);
    expect(report.failed).toHaveBeenCalledOnce();
    await letTimePass();
    await handleOnce(fail, { retryDelayMs });
    expect(await findEvent(db, 1)).toEqual({ id: 1, kind: 'job', valor: null, status: 'dead' });
    expect(await row(1)).toMatchObject({ failures: 2, due_at: null, dead_reason: null });
  });

  test('waits longer after a failure that says so', async () => {
    await createEvents(db, [job]);
    await handleOnce(async () => ({ failure: 'busy', retryMs: 7_200_000 }));
    expect((await row(1)).due_at!.getTime() - Date.now()).toBeGreaterThan(7_000_000);
  });

  test('comes again later without a failure, as often as its handler says so', async () => {
    await createEvents(db, [job]);
    for (let waits = 1; waits <= 3; waits++) {
      await handleOnce(async () => ({ laterMs: 3_600_000 }));
      expect(await row(1)).toMatchObject({ waits, failures: 0, processing: 2, valor: null, last_error: null });
      await letTimePass();
    }
  });

  test('is dead at once when its handler says so, and the reason is kept for whoever waits', async () => {
    await createEvents(db, [job]);
    await handleOnce(async () => ({ dead: 'there is no such client' }));
    expect(await row(1)).toMatchObject({ failures: 1, due_at: null, dead_reason: 'there is no such client' });
  });

  test('fails when its handler takes longer than it may, whatever the handler does about its signal', async () => {
    await createEvents(db, [job, { kind: 'job' }]);
    const signals: AbortSignal[] = [];
    const hang: HandleEvent = (event, { signal }) => {
      signals.push(signal);
      return event.id === 1 ? new Promise<Outcome>(() => {}) : Promise.resolve({ valor: '1' });
    };
    await handleOnce(hang, { timeoutMs: 50 });
    expect(await row(1)).toMatchObject({ failures: 1, last_error: 'no outcome within 50 ms', valor: null });
    expect(await row(2)).toMatchObject({ valor: '1', failures: 0 });
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
  });

  test('among fifty others dies when its handler always hangs, and the others are filled', async () => {
    await createEvents(
      db,
      Array.from({ length: 51 }, () => ({ kind: 'job' })),
    );
    const hang: HandleEvent = async ({ id }) => (id === 17 ? new Promise<Outcome>(() => {}) : { valor: '1' });
    for (let attempt = 1; attempt <= 2; attempt++) {
      await handleOnce(hang, { timeoutMs: 50 });
      await letTimePass();
    }
    expect(await findEvent(db, 17)).toMatchObject({ status: 'dead' });
    const { rows } = await sql<{ n: number }>`SELECT COUNT(*) AS n FROM Events WHERE valor = '1'`.execute(db);
    expect(rows[0]!.n).toBe(50);
  });
});

describe('a batch', () => {
  test('has an outcome for each event: values are written, failed attempts wait, the rest comes again', async () => {
    await createEvents(
      db,
      Array.from({ length: 5 }, () => ({})),
    );
    const outcomes: Outcome[] = [{ valor: 'maçã' }, { failure: 'no word' }, { valor: 'pão' }];
    let calls = 0;
    const report = await handleBatchOnce(async (events) =>
      ++calls === 1 ? outcomes : events.map(() => ({ valor: 'mar' })),
    );
    expect(await row(1)).toMatchObject({ valor: 'maçã', attempts: 1 });
    expect(await row(2)).toMatchObject({ valor: null, processing: 0, failures: 1, last_error: 'no word' });
    expect(await row(3)).toMatchObject({ valor: 'pão', attempts: 1 });
    for (const id of [4, 5]) expect(await row(id)).toMatchObject({ valor: 'mar', attempts: 2, failures: 0 });
    expect(report.released.mock.calls).toEqual([[2, 'fewer outcomes than events']]);
  });

  test('leaves out outcomes beyond its events', async () => {
    await createEvents(db, [{}]);
    const report = await handleBatchOnce(async () => [{ valor: 'mar' }, { valor: 'sol' }]);
    expect(report.filled.mock.calls.flatMap(([fills]) => fills)).toMatchObject([{ id: 1, valor: 'mar' }]);
  });
});

test('what the database refuses of one event keeps no other from being written', async () => {
  await createEvents(db, [job, { kind: 'job' }, { kind: 'job' }]);
  await sql`
    CREATE TRIGGER refuse BEFORE UPDATE ON Events FOR EACH ROW FOLLOWS keep_filled_and_lease
    IF NEW.valor = '"bad"' THEN SIGNAL SQLSTATE '45000'; END IF`.execute(db);
  try {
    const report = await handleOnce(async ({ id }) => ({ valor: id === 1 ? '"bad"' : '"good"' }));
    expect(report.trouble.mock.calls).toEqual([
      ['1 events could not be filled and are left to their lease', expect.any(Error)],
    ]);
  } finally {
    await sql`DROP TRIGGER refuse`.execute(db);
  }
  expect(await row(1)).toMatchObject({ valor: null, processing: 1 });
  for (const id of [2, 3]) expect(await row(id)).toMatchObject({ valor: '"good"' });
});

test('an outcome that cannot be written now is written later', async () => {
  await createEvents(db, [job]);
  const client = await createConnection({ uri: database.url });
  onTestFinished(() => client.destroy());
  const impatient = database.connect({ statementTimeoutMs: 1_500, retryMs: 500 });
  const { run, report } = createWorker(impatient, [
    singleHandler(async () => {
      await client.query('LOCK TABLES Events READ');
      return { valor: '1' };
    }),
  ]);
  const running = run();
  const NOT_YET = ['1 events could not be filled yet', expect.any(Error)];
  await vi.waitFor(() => expect(report.trouble.mock.calls).toContainEqual(NOT_YET), { timeout: 20_000 });
  await client.query('UNLOCK TABLES');
  await running;
  expect(await row(1)).toMatchObject({ valor: '1', attempts: 1 });
});
