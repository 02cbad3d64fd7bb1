import { createConnection } from 'mysql2/promise';
import { expect, onTestFinished, test } from 'vitest';
import { claimEvents } from '../database/events/claim.ts';
import { createEvents } from '../database/events/create.ts';
import { findEvent } from '../database/events/read.ts';
import { createRecordingReport } from '../tests/recording-report.ts';
import { createTestDatabase } from '../tests/test-database.ts';
import { keepLease } from './lease-keeper.ts';

test('a claim is kept though one renewal fails, and that only at its time limit', async () => {
  await using database = await createTestDatabase();
  const { db, connect, url } = database;
  const leaseMs = 6_000;
  await createEvents(db, [{}]);
  const { claims } = await claimEvents(db, { claimedBy: 'a/1', limit: 1, leaseMs });
  const dueAt = async () => (await db.selectFrom('Events').select('due_at').executeTakeFirstOrThrow()).due_at!;
  const claimedUntil = await dueAt();
  // Nobody else can use the table for as long as this client keeps it.
  const client = await createConnection({ uri: url });
  onTestFinished(() => client.destroy());
  await client.query('LOCK TABLES Events WRITE');

  const report = createRecordingReport();
  const failed = new Promise<void>((resolve) => report.trouble.mockImplementation(() => resolve()));
  const done = new AbortController();
  // Fails well before the lease ends: the next renewal must not wait for another third.
  const impatient = connect({ statementTimeoutMs: 1_500, retryMs: 500 });
  const batch = { claimedBy: 'a/1', claims, claimedAt: 0 };
  const keeping = keepLease({ db: impatient, report, leaseMs }, batch, done.signal);
  await failed;
  await client.query('UNLOCK TABLES');
  await expect.poll(async () => (await dueAt()) > claimedUntil, { timeout: 3_000 }).toBe(true);
  expect(await findEvent(db, 1)).toMatchObject({ status: 'processing' });
  done.abort();
  await keeping;
});
