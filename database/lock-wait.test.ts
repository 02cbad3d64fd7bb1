import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { claimWords } from '../tests/claim-words.ts';
import { type ConnectToOwnServer, startOwnServer } from '../tests/own-server.ts';
import { createTestDatabase } from '../tests/test-database.ts';
import type { Database } from './connect.ts';
import { createEvents, createEventsOnce, forgetKeys } from './events/create.ts';
import { reviveEvents } from './events/operate.ts';
import { countEvents } from './events/read.ts';
import { fillEvents, giveBackEvents, renewEvents } from './events/settle.ts';

const LEASE_MS = 30_000;

/** How many statements are under way on the server that came through a pool like ours. */
async function underWay(db: Database): Promise<number> {
  const { rows } = await sql<{ n: number }>`
    SELECT COUNT(*) AS n FROM information_schema.PROCESSLIST
    WHERE DB = DATABASE() AND COMMAND <> 'Sleep' AND ID <> CONNECTION_ID()`.execute(db);
  return rows[0]!.n;
}

/** Everything that writes is tried while `lock` holds, and given up; then it is looked for on the server. */
async function giveUpBehind(lock: string, connect: ConnectToOwnServer, statementTimeoutMs: number) {
  const watcher = connect();
  await createEvents(watcher, [{}, {}, {}]);
  const claims = (await claimWords(watcher, { limit: 1 })).claims;
  await sql`UPDATE Events SET due_at = NULL WHERE id = 2`.execute(watcher);
  const before = await watcher.selectFrom('Events').selectAll().execute();
  // The pool has one connection, which keeps the lock from one statement to the next.
  const locker = connect({ poolSize: 1, statementTimeoutMs: 60_000 });
  await sql.raw(lock).execute(locker);

  const db = connect({ statementTimeoutMs, retryMs: 500 });
  const outcomes = await Promise.allSettled([
    createEvents(db, [{}]),
    createEvents(db, [{ kind: 'email', payload: '{}', key: 'k' }]),
    createEventsOnce(db, [{ key: 'order-17', events: [{}] }]),
    claimWords(db, { claimedBy: 'b' }),
    fillEvents(db, { claimedBy: 'a', claims: claims.map((claim) => ({ ...claim, valor: 'mar' })) }),
    giveBackEvents(db, { claimedBy: 'a', claims: claims.map((claim) => ({ ...claim, outcome: 'released' })) }),
    renewEvents(db, { claimedBy: 'a', claims, leaseMs: 2 * LEASE_MS }),
    forgetKeys(db, { olderThanMs: 0, limit: 10 }),
    reviveEvents(db, [2]),
  ]);
  expect(outcomes.map(({ status }) => status)).not.toContain('fulfilled');
  await expect.poll(() => underWay(watcher), { timeout: 2_500 }).toBe(0);

  await sql`UNLOCK TABLES`.execute(locker);
  expect(await createEvents(watcher, [{}])).toBe(4);
  expect(await countEvents(watcher)).toBe(4);
  expect((await watcher.selectFrom('Events').selectAll().execute()).slice(0, 3)).toEqual(before);
  return outcomes.map((outcome) => (outcome.status === 'rejected' ? (outcome.reason as { fault: string }).fault : ''));
}

const LOCK_TABLES =
  'LOCK TABLES Events READ, DBStatus READ, IdempotencyKeys READ, Kinds READ, EventPayloads READ, EventKeys READ';

test('while somebody keeps the tables locked, the server gives up before we do, and says so', async () => {
  await using database = await createTestDatabase();
  const faults = await giveUpBehind(LOCK_TABLES, database.connect, 3_000);
  expect(faults).not.toContain('unknown');
});

test('what is given up sooner than servers can is not carried out when the tables are free again', async () => {
  await using database = await createTestDatabase();
  await giveUpBehind(LOCK_TABLES, database.connect, 100);
});

test('behind FLUSH TABLES WITH READ LOCK the server gives up before we do, and says so', async () => {
  const connect = await startOwnServer();
  const faults = await giveUpBehind('FLUSH TABLES WITH READ LOCK', connect, 3_000);
  expect(faults).not.toContain('unknown');
});
