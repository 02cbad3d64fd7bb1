import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { claimIds, claimWords } from '../../tests/claim-words.ts';
import { useTestDatabase } from '../../tests/test-database.ts';
import { transactionsFor } from '../transactions.ts';
import { claimEvents, lockEvents, lockNextEvents } from './claim.ts';
import { createEvents } from './create.ts';
import { listDead, showEvent } from './operate.ts';
import { findEvent } from './read.ts';
import { fillEvents, giveBackEvents } from './settle.ts';

const { db, letTimePass } = await useTestDatabase();

const row = (id: number) => db.selectFrom('Events').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
const dueAt = async (id: number) =>
  (await sql<{ s: string }>`SELECT CAST(due_at AS CHAR) AS s FROM Events WHERE id = ${id}`.execute(db)).rows[0]!.s;
const endLease = (id: number) =>
  sql`UPDATE Events SET lease_until = UTC_TIMESTAMP(3) - INTERVAL 1 SECOND WHERE id = ${id}`.execute(db);

test('a claim takes the oldest due events, holds them for the lease, and numbers the attempt', async () => {
  await createEvents(db, [{}, {}, {}]);
  const due = await dueAt(1);
  const { claims } = await claimWords(db, { limit: 2 });
  expect(claims).toEqual(
    [1, 2].map((id) => ({
      id,
      attempt: 1,
      failures: 0,
      waits: 0,
      createdAt: expect.any(Date) as Date,
      hasNext: false,
    })),
  );
  expect(claims[0]!.createdAt).toEqual((await row(1)).created_at);
  expect(await row(1)).toMatchObject({ processing: 1, claimed_by: 'a', attempts: 1 });
  expect(await dueAt(1)).toBe(due);
  const { rows } = await sql<{ s: string }>`
    SELECT TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(3), lease_until) / 1000000 AS s FROM Events WHERE id = 1
  `.execute(db);
  expect(Number(rows[0]!.s)).toBeGreaterThan(25);
  expect(await findEvent(db, 1)).toEqual({ id: 1, kind: 'word', valor: null, status: 'processing' });
  expect(await findEvent(db, 3)).toEqual({ id: 3, kind: 'word', valor: null, status: 'pending' });
});

test('nothing due is an empty list', async () => {
  expect(await claimIds(db)).toEqual([]);
});

test('what is held is not claimed again before its lease is over', async () => {
  await createEvents(db, [{}]);
  await claimWords(db);
  expect(await claimIds(db, { claimedBy: 'b' })).toEqual([]);
});

test('an event whose lease is over is pending again, and is claimed with one failure more', async () => {
  await createEvents(db, [{}]);
  await claimWords(db);
  await letTimePass();
  expect(await findEvent(db, 1)).toMatchObject({ status: 'pending' });
  expect(await showEvent(db, 1)).toMatchObject({ leaseUntil: null, status: 'pending' });
  expect((await claimWords(db, { claimedBy: 'b' })).claims).toMatchObject([{ id: 1, attempt: 2, failures: 1 }]);
});

test('several kinds are claimed in one round trip, each by its own limit, in the order of the request', async () => {
  await createEvents(db, [{ kind: 'email' }, {}, { kind: 'email', payload: '1' }, {}, { kind: 'other' }]);
  const kinds = [
    { kind: 'email', limit: 5, maxFailures: 5 },
    { kind: 'nobody', limit: 5, maxFailures: 5 },
    { kind: 'word', limit: 1, maxFailures: 5 },
  ];
  const results = await claimEvents(db, { claimedBy: 'a', leaseMs: 30_000, kinds });
  expect(results.map(({ claims }) => claims.map(({ id }) => id))).toEqual([[1, 3], [], [2]]);
  expect(results[0]!.claims[1]).toMatchObject({ id: 3, payload: '1' });
  expect(await claimEvents(db, { claimedBy: 'a', leaseMs: 30_000, kinds: [] })).toEqual([]);
});

test('a claim looks at what has been due since then, and tells from when on the next need look', async () => {
  await createEvents(db, [{}, {}, {}, {}]);
  await sql`UPDATE Events SET due_at = UTC_TIMESTAMP(3) - INTERVAL (5 - id) HOUR WHERE id <= 3`.execute(db);
  const [first, second, third] = await Promise.all([1, 2, 3].map(dueAt));
  // The look that is made once a second for all has just been made.
  await sql`UPDATE Kinds SET looked_at = UTC_TIMESTAMP(3) + INTERVAL 1 HOUR`.execute(db);
  const told: string[] = [];
  const claim = async (limit: number, since?: string) => {
    const { claims, nextSince } = await claimWords(db, { limit, since });
    told.push(nextSince.slice(0, 23));
    return claims.map(({ id }) => id);
  };
  expect(await claim(1, second)).toEqual([2]);
  expect(await claim(1)).toEqual([1]);
  expect(await claim(1, second)).toEqual([3]);
  expect(told).toEqual([second, first, third]);
});

test('the last second is always looked at, for an event may be committed after it fell due', async () => {
  for (const claimed of [0, 1]) {
    if (claimed > 0) await createEvents(db, [{}]);
    const { claims, nextSince } = await claimWords(db);
    expect(claims).toHaveLength(claimed);
    const { rows } = await sql<{ us: number }>`
      SELECT TIMESTAMPDIFF(MICROSECOND, ${nextSince}, UTC_TIMESTAMP(3)) AS us`.execute(db);
    expect(rows[0]!.us).toBeGreaterThanOrEqual(1_000_000);
  }
});

test('one look a second at all that is due finds what a cursor has passed, for all consumers together', async () => {
  await createEvents(db, [{}]);
  await sql`UPDATE Events SET due_at = UTC_TIMESTAMP(3) - INTERVAL 1 HOUR`.execute(db);
  await sql`UPDATE Kinds SET looked_at = UTC_TIMESTAMP(3) + INTERVAL 1 HOUR`.execute(db);
  const since = '2100-01-01 00:00:00';
  expect(await claimIds(db, { since })).toEqual([]);
  await sql`UPDATE Kinds SET looked_at = UTC_TIMESTAMP(3) - INTERVAL 1 SECOND`.execute(db);
  const found = await Promise.all(['a', 'b', 'c'].map((claimedBy) => claimIds(db, { claimedBy, since })));
  expect(found.flat()).toEqual([1]);
});

test('a lost lease is found within a second by a consumer that claims with a cursor', async () => {
  await createEvents(db, [{}]);
  const { nextSince } = await claimWords(db, { claimedBy: 'dead', leaseMs: 300 });
  const startedAt = performance.now();
  await expect.poll(() => claimIds(db, { since: nextSince }), { interval: 20, timeout: 5_000 }).toEqual([1]);
  expect(performance.now() - startedAt).toBeLessThan(2_300);
});

test('an event that loses as many leases as it may is dead, with what happened', async () => {
  await createEvents(db, [{ kind: 'poison' }, { kind: 'poison' }]);
  for (let failures = 0; failures < 3; failures++) {
    // On its last attempt it is claimed alone.
    const { claims, isSuspect } = await claimWords(db, { kind: 'poison', maxFailures: 3 });
    expect(isSuspect).toBe(failures === 2);
    if (isSuspect)
      claims.push(...(await claimWords(db, { kind: 'poison', maxFailures: 3, limit: 1, alone: true })).claims);
    expect(claims[0]).toMatchObject({ id: 1, failures, attempt: failures + 1 });
    await fillEvents(db, { claimedBy: 'a', claims: claims.slice(1).map((claim) => ({ ...claim, valor: '1' })) });
    await endLease(1);
  }
  expect(await findEvent(db, 1)).toMatchObject({ status: 'pending' });
  expect(await claimIds(db, { kind: 'poison', maxFailures: 3 })).toEqual([]);
  expect(await listDead(db, { limit: 10 })).toMatchObject([
    { id: 1, kind: 'poison', failures: 3, attempts: 3, lastError: 'its consumers died', claimedBy: null },
  ]);
  expect(await row(1)).toMatchObject({ dead_reason: null, processing: 2, due_at: null });
});

test('lost leases and failed attempts count together, and neither a release nor a later does', async () => {
  await createEvents(db, [{}]);
  const giveBack = async (outcome: object) => {
    const { claims } = await claimWords(db, { maxFailures: 3 });
    const all = claims.map((claim) => ({ ...claim, ...outcome }) as never);
    expect(await giveBackEvents(db, { claimedBy: 'a', claims: all })).toMatchObject({ givenBack: 1 });
  };
  for (let time = 0; time < 4; time++) await giveBack({ outcome: 'released' });
  for (let time = 0; time < 4; time++) await giveBack({ outcome: 'later', delayMs: 0 });
  await giveBack({ outcome: 'failed', reason: 'x', delayMs: 0 });
  await claimWords(db, { maxFailures: 3 });
  await endLease(1);
  expect((await claimWords(db, { maxFailures: 3, alone: true })).claims).toMatchObject([
    { failures: 2, waits: 4, attempt: 11 },
  ]);
  await endLease(1);
  expect(await claimIds(db, { maxFailures: 3 })).toEqual([]);
  expect(await showEvent(db, 1)).toMatchObject({ status: 'dead', failures: 3, attempts: 11 });
});

test('a claim makes no row longer, so claimed_by has the same length for nobody as for a consumer', async () => {
  const { rows } = await sql<Record<string, unknown>>`
    SELECT DATA_TYPE AS type, CHARACTER_SET_NAME AS charset, CHARACTER_OCTET_LENGTH AS bytes, IS_NULLABLE AS nullable
    FROM information_schema.COLUMNS
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'Events' AND COLUMN_NAME IN ('claimed_by', 'lease_until')
    ORDER BY COLUMN_NAME`.execute(db);
  expect(rows).toEqual([
    { type: 'char', charset: 'ascii', bytes: 48, nullable: 'NO' },
    { type: 'datetime', charset: null, bytes: null, nullable: 'NO' },
  ]);
  await createEvents(db, [{}, {}, {}]);
  expect(await row(1)).toMatchObject({ claimed_by: '' });
  const [first, second] = (await claimWords(db, { limit: 2 })).claims;
  await giveBackEvents(db, {
    claimedBy: 'a',
    claims: [
      { ...first!, outcome: 'released' },
      { ...second!, outcome: 'failed', reason: 'x', delayMs: 1 },
    ],
  });
  await sql`UPDATE Events SET processing = 1 WHERE id = 3`.execute(db);
  for (const id of [1, 2, 3]) expect(await row(id)).toMatchObject({ claimed_by: '' });
  expect(await showEvent(db, 1)).toMatchObject({ claimedBy: null });
});

test('what is locked says whether another of its key waits for it', async () => {
  const event = { kind: 'job' };
  await createEvents(db, [{ ...event, key: 'a' }, { ...event, key: 'a' }, { ...event, key: 'b' }, event]);
  await transactionsFor(db).run(async (transaction) => {
    const request = { kind: 'job', limit: 10, maxFailures: 5 };
    const { claims } = await lockEvents(transaction.db, { ...request, since: '2000-01-01' });
    expect(claims.map(({ id, hasNext }) => [id, hasNext])).toEqual([
      [1, true],
      [3, false],
      [4, false],
    ]);
    const next = { ...request, after: [1], nth: 1, payloadRoom: 1_000 };
    expect(await lockNextEvents(transaction.db, next)).toMatchObject([{ id: 2, hasNext: false }]);
  });
});
