import { expect, test, vi } from 'vitest';
import { createEvents } from '../database/events/create.ts';
import { findEvent } from '../database/events/read.ts';
import { toHandlers } from '../handlers/handlers.ts';
import { loseFirstAnswer } from '../tests/first-answer.ts';
import { createRecordingReport } from '../tests/recording-report.ts';
import { useTestDatabase } from '../tests/test-database.ts';
import { batchHandler, type HandleBatch } from '../tests/test-worker.ts';
import { readConsumerConfig } from './config.ts';
import { toConsumerOptions } from './from-config.ts';
import { CONSUMER_DEFAULTS } from './options.ts';
import { runConsumer } from './run-consumer.ts';

const { db, connect } = await useTestDatabase();
const handlersOf = (handleBatch: HandleBatch, batch = 10) => toHandlers([batchHandler(handleBatch, { batch })]);
const untilAborted: HandleBatch = (_, { signal }) =>
  new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));

test('what the default settings mean are the defaults of the options', () => {
  expect(toConsumerOptions(readConsumerConfig([], {}))).toMatchObject(CONSUMER_DEFAULTS);
});

test('a consumer needs a database and handlers, and fills what comes until its signal is aborted', async () => {
  const stop = new AbortController();
  const handlers = handlersOf(async (events) => events.map(() => ({ valor: 'mar' })));
  const running = runConsumer({ db, handlers, signal: stop.signal, report: createRecordingReport() });
  await createEvents(db, [{}]);
  await expect.poll(() => findEvent(db, 1)).toMatchObject({ valor: 'mar' });
  stop.abort();
  await running;
});

test('one whose first statement has no answer, as after a pause of its process, asks again', async () => {
  await createEvents(db, [{}]);
  const handlers = handlersOf(async (events) => events.map(() => ({ valor: 'mar' })));
  const options = { handlers, once: true, report: createRecordingReport() };
  await runConsumer({ db: loseFirstAnswer(connect(), 'add_kinds'), ...options });
  expect(await findEvent(db, 1)).toMatchObject({ valor: 'mar' });
});

test('two of the same name in one process claim under different names', async () => {
  await createEvents(db, [{}, {}]);
  const both = Promise.withResolvers<void>();
  let calls = 0;
  const handlers = handlersOf(async (events) => {
    // Each has one of the two.
    if (++calls === 2) both.resolve();
    await both.promise;
    return events.map(() => ({ valor: 'mar' }));
  }, 1);
  const options = { db, handlers, name: 'ana', once: true, report: createRecordingReport() };
  await Promise.all([runConsumer(options), runConsumer(options)]);
  const rows = await db.selectFrom('Events').select('claimed_by').execute();
  expect(new Set(rows.map(({ claimed_by }) => claimed_by)).size).toBe(2);
});

test('what is not finished in time is given back', async () => {
  await createEvents(db, [{}]);
  const stop = new AbortController();
  const handleBatch = vi.fn<HandleBatch>(untilAborted);
  const report = createRecordingReport();
  const running = runConsumer({ db, handlers: handlersOf(handleBatch), signal: stop.signal, finishMs: 50, report });
  await vi.waitFor(() => expect(handleBatch).toHaveBeenCalled(), 20_000);
  stop.abort();
  await running;
  expect(report.released.mock.calls).toEqual([[1, 'shutting down']]);
  expect(await findEvent(db, 1)).toMatchObject({ status: 'pending' });
});
