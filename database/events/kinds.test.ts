import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { claimIds } from '../../tests/claim-words.ts';
import { connectForeignClient } from '../../tests/foreign-client.ts';
import { useTestDatabase } from '../../tests/test-database.ts';
import { claimEvents } from './claim.ts';
import { createEvents, createEventsOnce } from './create.ts';
import { addKinds, findUnservedKinds } from './kinds.ts';
import { countEvents } from './read.ts';

const database = await useTestDatabase();
const { db } = database;

const FULL = /There are 1,000 kinds already; a kind is a sort of work, not an id\./;

const kinds = () => db.selectFrom('Kinds').select(['id', 'name', 'paused']).orderBy('id').execute();
const names = async () => (await kinds()).map(({ name }) => name);
const pause = (kind: string) => sql`UPDATE Kinds SET paused = 1 WHERE name = ${kind}`.execute(db);

test('a kind exists from its first use, and is made once', async () => {
  expect(await kinds()).toEqual([{ id: 1, name: 'word', paused: 0 }]);
  await createEvents(db, [{ kind: 'email' }, {}, { kind: 'email' }, { kind: 'word' }]);
  await createEventsOnce(db, [{ key: 'x', events: [{ kind: 'other.one_2-x' }, { kind: 'email' }] }]);
  await addKinds(db, ['email', 'third', 'third']);
  await addKinds(db, []);
  expect(await names()).toEqual(['word', 'email', 'other.one_2-x', 'third']);
});

test('there are at most 1,000 kinds, and the one more creates nothing and says why', async () => {
  await addKinds(
    db,
    Array.from({ length: 998 }, (_, n) => `k${n}`),
  );
  await createEvents(db, [{ kind: 'last' }]);
  expect(await kinds()).toHaveLength(1_000);
  await expect(createEvents(db, [{}, { kind: 'more' }])).rejects.toThrow(FULL);
  await expect(createEventsOnce(db, [{ key: 'x', events: [{ kind: 'more' }] }])).rejects.toThrow(FULL);
  await expect(addKinds(db, ['more'])).rejects.toThrow(FULL);
  expect(await countEvents(db)).toBe(1);
  expect(await db.selectFrom('IdempotencyKeys').selectAll().execute()).toEqual([]);
  expect(await createEvents(db, [{ kind: 'k7' }, { kind: 'last' }, {}])).toBe(2);
});

test('many connections that use the same new kinds at once make each of them once', async () => {
  const pools = [1, 2, 3].map(() => database.connect({ queueWaitMs: 20_000, retryMs: 20_000 }));
  await Promise.all(
    Array.from({ length: 48 }, (_, n) => {
      const pool = pools[n % 3]!;
      const kind = `kind-${n % 5}`;
      if (n % 4 === 0) return addKinds(pool, [kind, `own-${n}`]);
      return n % 4 === 1
        ? createEventsOnce(pool, [{ key: `${n}`, events: [{ kind }] }])
        : createEvents(pool, [{ kind }, { kind: `own-${n}` }]);
    }),
  );
  const all = await names();
  expect(new Set(all).size).toBe(all.length);
  expect(all).toHaveLength(1 + 5 + 36);
  const { rows } = await sql<{ name: string; n: number }>`
    SELECT name, COUNT(*) AS n FROM Events JOIN Kinds ON Kinds.id = kind WHERE name LIKE 'kind-%' GROUP BY name ORDER BY name
  `.execute(db);
  expect(rows.reduce((sum, { n }) => sum + n, 0)).toBe(36);
});

test('what an operator has paused stays paused whoever uses the kind again, and is not claimed', async () => {
  await createEvents(db, [{ kind: 'email' }]);
  await pause('email');
  await createEvents(db, [{ kind: 'email' }]);
  await createEventsOnce(db, [{ key: 'x', events: [{ kind: 'email' }] }]);
  await addKinds(db, ['email']);
  expect(await kinds()).toContainEqual({ id: 2, name: 'email', paused: 1 });
  expect(await claimIds(db, { kind: 'email' })).toEqual([]);
  await sql`UPDATE Kinds SET paused = 0`.execute(db);
  expect(await claimIds(db, { kind: 'email' })).toEqual([1, 2, 3]);
});

test('a pause stops the next claim at once, of words too, and leases that are lost meanwhile are found', async () => {
  await createEvents(db, [{}, {}]);
  expect(await claimIds(db, { limit: 1 })).toEqual([1]);
  await pause('word');
  expect(await claimIds(db)).toEqual([]);
  await sql`UPDATE Events SET lease_until = UTC_TIMESTAMP(3) WHERE id = 1`.execute(db);
  expect(await claimIds(db)).toEqual([]);
  expect(await db.selectFrom('Events').select(['processing', 'failures']).where('id', '=', 1).execute()).toEqual([
    { processing: 0, failures: 1 },
  ]);
});

test('kinds whose events are due while no consumer asks for them are found', async () => {
  await createEvents(db, [{ kind: 'lonely' }, { kind: 'served' }, { kind: 'delayed', delayMs: 60_000 }, {}]);
  await addKinds(db, ['empty']);
  expect(await findUnservedKinds(db)).toEqual([]);
  await sql`UPDATE Events SET due_at = due_at - INTERVAL 61 SECOND WHERE due_at <= UTC_TIMESTAMP(3)`.execute(db);
  await claimIds(db, { kind: 'served', limit: 0 });
  expect((await findUnservedKinds(db)).toSorted()).toEqual(['lonely', 'word']);
  await sql`UPDATE Kinds SET looked_at = UTC_TIMESTAMP(3) - INTERVAL 59 SECOND`.execute(db);
  expect(await findUnservedKinds(db)).toEqual([]);
  expect((await findUnservedKinds(db, { dueForMs: 58_000 })).toSorted()).toEqual(['lonely', 'served', 'word']);
});

test('a claim does not wait for another that looks at all of one of its kinds, and a pause stops it all the same', async () => {
  await createEvents(db, [{}, {}, { kind: 'email' }]);
  const other = await connectForeignClient(database.url);
  await other.beginTransaction();
  await other.query("UPDATE Kinds SET looked_at = UTC_TIMESTAMP(3) WHERE name = 'word'");
  const kinds = ['email', 'word'].map((kind) => ({ kind, limit: 1, maxFailures: 5 }));
  const startedAt = performance.now();
  const answers = await claimEvents(db, { claimedBy: 'a', leaseMs: 30_000, kinds });
  expect(answers.map(({ claims }) => claims.map(({ id }) => id))).toEqual([[3], [1]]);
  expect(performance.now() - startedAt).toBeLessThan(1_000);
  await other.rollback();
  await pause('word');
  expect(await claimIds(db)).toEqual([]);
});
