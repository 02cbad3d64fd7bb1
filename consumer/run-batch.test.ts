import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { claimEvents } from '../database/events/claim.ts';
import { createEvents } from '../database/events/create.ts';
import { findEvent } from '../database/events/read.ts';
import type { HandleBatch, Outcome } from '../handlers/handler.ts';
import { createRecordingReport } from '../tests/recording-report.ts';
import { useTestDatabase } from '../tests/test-database.ts';
import { type BatchDeps, runBatch } from './run-batch.ts';

const database = await useTestDatabase();
const { db, letTimePass } = database;

const LEASE_MS = 30_000;
const UNTOUCHED = { valor: null, processing: 0, attempts: 0, claimed_by: '', last_error: null };
const row = (id: number) => db.selectFrom('Events').selectAll().where('id', '=', id).executeTakeFirstOrThrow();

function createDeps(handleBatch: HandleBatch) {
  const report = createRecordingReport();
  const retry = { maxAttempts: 2, firstDelayMs: 60_000, maxDelayMs: 60_000 };
  return {
    db,
    handleBatch,
    report,
    retry,
    leaseMs: LEASE_MS,
    giveUp: new AbortController().signal,
  } satisfies BatchDeps;
}

let claimsMade = 0;
async function claimBatch(limit: number) {
  const claimedBy = `a/${++claimsMade}`;
  const { claims } = await claimEvents(db, { claimedBy, limit, leaseMs: LEASE_MS });
  return { claimedBy, claims, claimedAt: performance.now() };
}

async function claimNew(events: number) {
  await createEvents(
    db,
    Array.from({ length: events }, () => ({})),
  );
  return claimBatch(events);
}

/** The table is not there while `work` runs. */
async function withoutTable<T>(work: () => Promise<T>): Promise<T> {
  await sql`RENAME TABLE Events TO Elsewhere`.execute(db);
  try {
    return await work();
  } finally {
    await sql`RENAME TABLE Elsewhere TO Events`.execute(db);
  }
}

test('each outcome goes to its event: values are written, failed attempts wait, the rest is given back', async () => {
  const batch = await claimNew(5);
  const outcomes: Outcome[] = [{ valor: 'maçã' }, { failure: 'no word' }, { valor: 'pão' }];
  const deps = createDeps(async () => outcomes);
  expect(await runBatch(deps, batch)).toMatchObject({ served: 3 });

  expect(await row(1)).toMatchObject({ valor: 'maçã', processing: 0, attempts: 1 });
  expect(await row(2)).toMatchObject({ valor: null, processing: 0, attempts: 1, last_error: 'no word' });
  expect(await row(3)).toMatchObject({ valor: 'pão', processing: 0, attempts: 1 });
  for (const id of [4, 5]) expect(await row(id)).toMatchObject(UNTOUCHED);

  const { report } = deps;
  const fills = [
    { id: 1, attempt: 1, valor: 'maçã' },
    { id: 3, attempt: 1, valor: 'pão' },
  ];
  expect(report.filled.mock.calls).toEqual([[fills, 0, expect.any(Number)]]);
  expect(report.failed.mock.calls).toEqual([[[{ id: 2, attempt: 1, reason: 'no word' }], 0]]);
  expect(report.released.mock.calls).toEqual([[2, 'fewer values than events']]);
});

test('what is given back is due at once, what failed is not', async () => {
  const outcomes: Outcome[] = [{ failure: 'no word' }];
  await runBatch(
    createDeps(async () => outcomes),
    await claimNew(3),
  );
  expect((await claimBatch(10)).claims).toEqual([
    { id: 2, attempt: 1 },
    { id: 3, attempt: 1 },
  ]);
});

test('an event whose last attempt fails is dead', async () => {
  const deps = createDeps(async (events) => events.map(() => ({ failure: 'no word' })));
  await runBatch(deps, await claimNew(1));
  expect(await findEvent(db, 1)).toMatchObject({ status: 'pending' });
  await letTimePass();
  await runBatch(deps, await claimBatch(1));
  expect(await findEvent(db, 1)).toEqual({ id: 1, valor: null, status: 'dead' });
  expect(await row(1)).toMatchObject({ attempts: 2, last_error: 'no word' });
});

test('the time that is reported begins with the claim', async () => {
  const deps = createDeps(async () => [{ valor: 'mar' }]);
  const batch = await claimNew(1);
  await runBatch(deps, { ...batch, claimedAt: performance.now() - 5_000 });
  const ms = deps.report.filled.mock.calls[0]![2];
  expect(ms).toBeGreaterThanOrEqual(5_000);
  expect(ms).toBe(Math.round(ms));
});

describe('a claim that is lost while its value is made', () => {
  test('is reported and changes nothing; the rest of the batch is filled', async () => {
    const batch = await claimNew(2);
    const deps = createDeps(async () => {
      await sql`UPDATE Events SET due_at = NOW(3) - INTERVAL 1 SECOND WHERE id = 1`.execute(db);
      expect((await claimEvents(db, { claimedBy: 'b/1', limit: 10, leaseMs: LEASE_MS })).claims).toEqual([
        { id: 1, attempt: 2 },
      ]);
      return [{ valor: 'tarde' }, { valor: 'cedo' }];
    });
    await runBatch(deps, batch);
    expect(await row(1)).toMatchObject({ valor: null, processing: 1, claimed_by: 'b/1', attempts: 2 });
    expect(await row(2)).toMatchObject({ valor: 'cedo', processing: 0 });
    expect(deps.report.filled.mock.calls).toEqual([[[{ id: 2, attempt: 1, valor: 'cedo' }], 1, expect.any(Number)]]);
  });

  test.each<[string, () => Outcome[]]>([
    ['a value', () => [{ valor: 'tarde' }]],
    ['a failure', () => [{ failure: 'no word' }]],
    ['no outcome', () => []],
    [
      'a handler that rejects',
      () => {
        throw new Error('out of order');
      },
    ],
  ])('is not touched by %s', async (_, outcomes) => {
    const batch = await claimNew(1);
    await letTimePass();
    await claimEvents(db, { claimedBy: 'b/1', limit: 1, leaseMs: LEASE_MS });
    const before = await row(1);
    await runBatch(
      createDeps(async () => outcomes()),
      batch,
    );
    expect(await row(1)).toEqual(before);
  });
});

describe('a handler that rejects', () => {
  const outOfOrder: HandleBatch = async () => {
    throw new Error('out of order');
  };

  test('gets its events given back untouched, and its error is the result', async () => {
    const batch = await claimNew(2);
    const deps = createDeps(outOfOrder);
    expect(await runBatch(deps, batch)).toMatchObject({ served: 0, error: new Error('out of order') });
    for (const id of [1, 2]) expect(await row(id)).toMatchObject(UNTOUCHED);
    expect(deps.report.released.mock.calls).toEqual([[2, 'no values']]);
  });

  test('while the database is away leaves its events to their lease, and its error is the result', async () => {
    const batch = await claimNew(2);
    const deps = createDeps(outOfOrder);
    const { error } = await withoutTable(() => runBatch(deps, batch));
    expect(error).toEqual(new Error('out of order'));
    expect(deps.report.trouble).toHaveBeenCalledOnce();
    expect(await row(1)).toMatchObject({ processing: 1, attempts: 1 });
  });
});

test('values that cannot be written down are reported, and their events are left to their lease', async () => {
  const batch = await claimNew(2);
  const deps = createDeps(async (events) => events.map(() => ({ valor: 'mar' })));
  await withoutTable(() => runBatch(deps, batch));
  expect(deps.report.trouble.mock.calls).toEqual([
    ['2 events could not be filled and are left to their lease', expect.any(Error)],
  ]);
  expect(deps.report.filled).not.toHaveBeenCalled();
  expect(await row(1)).toMatchObject({ valor: null, processing: 1, attempts: 1 });
  await letTimePass();
  expect((await claimBatch(10)).claims).toHaveLength(2);
});

test('failures that cannot be written down keep nothing else from being written, and are counted by themselves', async () => {
  const deps = createDeps(async () => [{ valor: 'mar' }, { failure: 'no word' }]);
  await sql`
    CREATE TRIGGER refuse BEFORE UPDATE ON Events FOR EACH ROW FOLLOWS keep_filled_and_lease
    IF NEW.last_error = 'no word' THEN SIGNAL SQLSTATE '45000'; END IF`.execute(db);
  try {
    await runBatch(deps, await claimNew(4));
  } finally {
    await sql`DROP TRIGGER refuse`.execute(db);
  }
  expect(await row(1)).toMatchObject({ valor: 'mar' });
  expect(await row(2)).toMatchObject({ valor: null, processing: 1 });
  for (const id of [3, 4]) expect(await row(id)).toMatchObject(UNTOUCHED);
  expect(deps.report.trouble.mock.calls).toEqual([
    ['1 events could not be marked as failed and are left to their lease', expect.any(Error)],
  ]);
});

test.each([
  ['an empty one', ''],
  ['only spaces', '  '],
  ['one that is too long', 'x'.repeat(256)],
  ['half a character', 'a\ud83d'],
  ['no text at all', undefined as unknown as string],
])('a value that cannot be stored (%s) is a failed attempt of its event, and harms no other', async (_, valor) => {
  const deps = createDeps(async () => [{ valor: 'mar' }, { valor }, { valor: 'sol' }]);
  await runBatch(deps, await claimNew(3));
  expect(await row(1)).toMatchObject({ valor: 'mar' });
  expect(await row(2)).toMatchObject({ valor: null, attempts: 1, last_error: 'a value that cannot be stored' });
  expect(await row(3)).toMatchObject({ valor: 'sol' });
});

test('outcomes beyond the events are left out', async () => {
  const deps = createDeps(async () => [{ valor: 'mar' }, { valor: 'sol' }]);
  await runBatch(deps, await claimNew(1));
  expect(deps.report.filled.mock.calls).toEqual([[[{ id: 1, attempt: 1, valor: 'mar' }], 0, expect.any(Number)]]);
});

describe('the lease', () => {
  test('is renewed while the values are being made, so that they may take longer', async () => {
    const batch = await claimNew(2);
    await sql`UPDATE Events SET due_at = NOW(3) + INTERVAL 1 SECOND`.execute(db);
    const made = Promise.withResolvers<Outcome[]>();
    const deps = { ...createDeps(() => made.promise), leaseMs: 1_000 };
    const worked = runBatch(deps, batch);
    // Past the first lease and the second, by the database's clock; nobody else gets the events meanwhile.
    const { first } = (await sql<{ first: Date }>`SELECT NOW(3) + INTERVAL 1500000 MICROSECOND AS first`.execute(db))
      .rows[0]!;
    await expect.poll(async () => (await row(1)).due_at! > first && (await row(2)).due_at! > first).toBe(true);
    expect((await claimEvents(db, { claimedBy: 'b/1', limit: 10, leaseMs: LEASE_MS })).claims).toEqual([]);
    made.resolve([{ valor: 'longe' }, { valor: 'tarde' }]);
    expect(await worked).toMatchObject({ served: 2 });
    expect(await row(1)).toMatchObject({ valor: 'longe', attempts: 1 });
    expect(deps.report.filled.mock.calls[0]?.[1]).toBe(0);
  });

  test('is not renewed for a claim that was taken over', async () => {
    const batch = await claimNew(1);
    await letTimePass();
    await claimEvents(db, { claimedBy: 'b/2', limit: 10, leaseMs: LEASE_MS });
    const theirs = (await row(1)).due_at;
    const made = Promise.withResolvers<Outcome[]>();
    const worked = runBatch({ ...createDeps(() => made.promise), leaseMs: 3 }, batch);
    await sql`SELECT SLEEP(0.05)`.execute(db);
    made.resolve([{ valor: 'tarde' }]);
    await worked;
    expect(await row(1)).toMatchObject({ claimed_by: 'b/2', due_at: theirs, valor: null });
  });
});
