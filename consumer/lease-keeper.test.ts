import { sql } from 'kysely';
import { createConnection } from 'mysql2/promise';
import { expect, onTestFinished, test, vi } from 'vitest';
import { claimEvents } from '../database/events/claim.ts';
import { createEvents } from '../database/events/create.ts';
import { findEvent } from '../database/events/read.ts';
import { useTestDatabase } from '../tests/test-database.ts';
import { createHandHandler, createWorker, singleHandler } from '../tests/test-worker.ts';

const { db, connect, url } = await useTestDatabase();

const WAIT = { timeout: 20_000 };
const row = (id: number) => db.selectFrom('Events').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
const leaseEnd = async () => (await row(1)).lease_until.getTime();

/** Nobody else can use the table until it is unlocked. */
async function lockTable() {
  const client = await createConnection({ uri: url });
  onTestFinished(() => client.destroy());
  await client.query('LOCK TABLES Events WRITE');
  return { unlock: () => client.query('UNLOCK TABLES') };
}

test('events are kept for longer than a lease while their handlers work', async () => {
  await createEvents(db, [{ kind: 'job' }, { kind: 'job' }]);
  const { calls, called, handleEvent } = createHandHandler();
  const { run, report } = createWorker(db, [singleHandler(handleEvent)], { leaseMs: 1_000 });
  const running = run();
  await called(2);
  const firstEnd = await leaseEnd();
  await expect.poll(leaseEnd, WAIT).toBeGreaterThan(firstEnd + 1_000);
  for (const { answer } of calls) answer([{ valor: '1' }]);
  await running;
  expect(await row(1)).toMatchObject({ valor: '1', attempts: 1, failures: 0 });
  expect(report.trouble).not.toHaveBeenCalled();
});

test('exactly the signal of the event that somebody else has is aborted', async () => {
  await createEvents(db, [{ kind: 'job' }, { kind: 'job' }]);
  const { calls, called, handleEvent } = createHandHandler();
  const { run } = createWorker(db, [singleHandler(handleEvent)], { leaseMs: 1_500 });
  const running = run();
  await called(2);
  await sql`UPDATE Events SET lease_until = UTC_TIMESTAMP(3) WHERE id = 1`.execute(db);
  const kinds = [{ kind: 'job', limit: 1, maxFailures: 5 }];
  expect((await claimEvents(db, { claimedBy: 'b', leaseMs: 60_000, kinds }))[0]!.claims).toMatchObject([{ id: 1 }]);
  const signalOf = (id: number) => calls.find(({ ids }) => ids[0] === id)!.signal;
  await expect.poll(() => signalOf(1).aborted, WAIT).toBe(true);
  expect(signalOf(2).aborted).toBe(false);
  for (const { answer } of calls) answer([{ valor: '1' }]);
  await running;
  expect(await row(1)).toMatchObject({ claimed_by: 'b', attempts: 2, valor: null });
  expect(await row(2)).toMatchObject({ valor: '1', attempts: 1 });
});

test('while renewals get no answer nothing is aborted and nothing claimed, and the claims are kept if one comes in time', async () => {
  const impatient = connect({ statementTimeoutMs: 1_500, retryMs: 500 });
  await createEvents(db, [{ kind: 'job' }]);
  const { calls, called, handleEvent } = createHandHandler();
  const stop = new AbortController();
  const { run, report } = createWorker(impatient, [singleHandler(handleEvent)], { leaseMs: 9_000, once: false });
  const running = run(stop.signal);
  await called(1);
  const claimedUntil = await leaseEnd();
  const { unlock } = await lockTable();
  const failed = (text: string) => report.trouble.mock.calls.filter(([what]) => what.includes(text)).length;
  await vi.waitFor(() => expect(failed('renewed')).toBeGreaterThan(0), WAIT);
  expect(calls[0]!.signal.aborted).toBe(false);
  await unlock();
  await expect.poll(leaseEnd, WAIT).toBeGreaterThan(claimedUntil);
  expect(await findEvent(db, 1)).toMatchObject({ status: 'processing' });
  await createEvents(db, [{ kind: 'job' }]);
  await called(2);
  for (const { answer } of calls) answer([{ valor: '1' }]);
  stop.abort();
  await running;
  expect(await row(1)).toMatchObject({ valor: '1', attempts: 1 });
});
