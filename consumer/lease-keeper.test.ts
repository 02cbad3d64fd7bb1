import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { claimEvents } from '../database/events/claim.ts';
import { createEvents } from '../database/events/create.ts';
import { findEvent } from '../database/events/read.ts';
import { createRecordingReport } from '../tests/recording-report.ts';
import { createTestDatabase } from '../tests/test-database.ts';
import { keepLease } from './lease-keeper.ts';

test('a claim is kept though one renewal fails, and that only at its time limit', async () => {
  await using database = await createTestDatabase();
  const { db, connect } = database;
  const leaseMs = 3_000;
  await createEvents(db, [{}]);
  const { claims } = await claimEvents(db, { claimedBy: 'a/1', limit: 1, leaseMs });
  const dueAt = async () => (await db.selectFrom('Events').select('due_at').executeTakeFirstOrThrow()).due_at!;
  const claimedUntil = await dueAt();
  // The pool has one connection, which keeps the table to itself.
  const holder = connect({ poolSize: 1 });
  await sql`LOCK TABLES Events WRITE`.execute(holder);

  const report = createRecordingReport();
  const failed = new Promise<void>((resolve) => report.trouble.mockImplementation(() => resolve()));
  const done = new AbortController();
  // Fails half a second before the lease ends: the next renewal must not wait for another third.
  const impatient = connect({ statementTimeoutMs: 1_500 });
  const keeping = keepLease(
    { db: impatient, report, leaseMs },
    { claimedBy: 'a/1', claims, claimedAt: 0 },
    done.signal,
  );
  await failed;
  // It still waits on the server, and would renew the lease when the lock is gone; behind it perhaps the next one already.
  const { rows } = await sql<{ id: number }>`
    SELECT ID AS id FROM information_schema.PROCESSLIST WHERE STATE LIKE 'Waiting for table metadata lock%' AND DB = DATABASE()
    ORDER BY ID LIMIT 1`.execute(db);
  expect(rows).toHaveLength(1);
  await sql`KILL ${sql.lit(rows[0]!.id)}`.execute(db);
  await sql`UNLOCK TABLES`.execute(holder);
  await expect.poll(async () => (await dueAt()) > claimedUntil).toBe(true);
  expect(await findEvent(db, 1)).toMatchObject({ status: 'processing' });
  done.abort();
  await keeping;
});
