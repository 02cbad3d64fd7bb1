import { expect, test } from 'vitest';
import { createProducer, dead, defineHandlers, done, type HandlerInput, runConsumer } from '../index.ts';
import { connectForeignClient } from './foreign-client.ts';
import { createRecordingReport } from './recording-report.ts';
import { useTestDatabase } from './test-database.ts';

/** A program that has a producer and a consumer of its own, by what index.ts offers. */

const { db, url } = await useTestDatabase();
const A_MINUTE = 60_000;

test('a create wakes the consumer of the same process, and a fill whoever waits for it: neither waits for a poll', async () => {
  const stop = new AbortController();
  const events = createProducer({ db, syncPollMs: A_MINUTE });
  const handlers = defineHandlers({
    greeting: async ({ payload }: HandlerInput<{ name: string }>) => `Olá, ${payload.name}!`,
    booking: { inTransaction: async () => 'booked' },
    charge: async () => done('charged', async () => {}),
    transfer: async () => dead('no such account'),
  });
  const report = createRecordingReport();
  const running = [
    events.run(stop.signal),
    runConsumer({ db, handlers, report, signal: stop.signal, pollMs: A_MINUTE }),
  ];
  const startedAt = performance.now();
  for (const name of ['Ana', 'Rui', 'Zé']) {
    const event = await events.createAndWait({ kind: 'greeting', payload: { name } });
    expect(event).toMatchObject({ status: 'filled', value: `Olá, ${name}!` });
  }
  // A kind in whose transactions nothing is marked, which has its first event alone.
  for (const kind of ['booking', 'booking', 'charge']) {
    expect(await events.createAndWait({ kind })).toMatchObject({ status: 'filled', kind });
  }
  expect(await events.createAndWait({ kind: 'transfer' })).toMatchObject({ status: 'dead' });
  expect(performance.now() - startedAt).toBeLessThan(A_MINUTE / 4);
  stop.abort();
  await Promise.all(running);
});

test('who waits is told the value in the table, though another client filled the event under the claim of ours', async () => {
  const stop = new AbortController();
  const events = createProducer({ db });
  const client = await connectForeignClient(url);
  const handlers = defineHandlers({
    greeting: async ({ id }) => {
      await client.query(`UPDATE Events SET valor = '"theirs"' WHERE id = ?`, [id]);
      return 'ours';
    },
  });
  const report = createRecordingReport();
  const running = [events.run(stop.signal), runConsumer({ db, handlers, report, signal: stop.signal })];
  expect(await events.createAndWait({ kind: 'greeting' })).toMatchObject({ value: 'theirs' });
  stop.abort();
  await Promise.all(running);
});
