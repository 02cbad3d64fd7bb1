import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { claimWords } from '../tests/claim-words.ts';
import { loseFirstAnswer } from '../tests/first-answer.ts';
import { connectForeignClient } from '../tests/foreign-client.ts';
import { useTestDatabase } from '../tests/test-database.ts';
import type { Claim } from './events/claim.ts';
import { createEvents } from './events/create.ts';
import { reviveAllDead } from './events/operate.ts';
import { fillEvents, type GiveBack, giveBackEvents, renewEvents } from './events/settle.ts';

/** What somebody else has locked is passed over, and delays nothing else. */

const database = await useTestDatabase();
const { db, letTimePass } = database;

const LEASE_MS = 30_000;

interface Outcome {
  written: number;
  locked: number[];
}

const idsOf = (claims: readonly Claim[]) => claims.map(({ id }) => id);

async function giveBack(claims: GiveBack[]): Promise<Outcome> {
  const { givenBack, locked } = await giveBackEvents(db, { claimedBy: 'a', claims });
  return { written: givenBack, locked: idsOf(locked) };
}

/** What a holder does with its claims. */
const ARROWS: Record<string, (claims: readonly Claim[]) => Promise<Outcome>> = {
  filled: async (claims) => {
    const fills = claims.map((claim) => ({ ...claim, valor: 'sol' }));
    const { written, locked } = await fillEvents(db, { claimedBy: 'a', claims: fills });
    return { written: written.length, locked: idsOf(locked) };
  },
  renewed: async (claims) => {
    const { written, locked } = await renewEvents(db, { claimedBy: 'a', claims, leaseMs: 2 * LEASE_MS });
    return { written: written.length, locked: idsOf(locked) };
  },
  released: (claims) => giveBack(claims.map((claim) => ({ ...claim, outcome: 'released' }))),
  failed: (claims) => giveBack(claims.map((claim) => ({ ...claim, outcome: 'failed', reason: 'x', delayMs: 9 }))),
};

async function claimNew(count: number): Promise<Claim[]> {
  await createEvents(
    db,
    Array.from({ length: count }, () => ({})),
  );
  return (await claimWords(db)).claims;
}

/** Somebody's transaction, open until the returned function is called. */
async function leaveOpen(statement: string): Promise<() => Promise<unknown>> {
  const stranger = await connectForeignClient(database.url);
  // Under REPEATABLE READ it would also lock the rows that it passes.
  await stranger.query('SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED');
  await stranger.beginTransaction();
  await stranger.query(statement);
  return () => stranger.rollback();
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const startedAt = performance.now();
  const result = await work;
  expect(performance.now() - startedAt).toBeLessThan(ms);
  return result;
}

describe.each(Object.keys(ARROWS))('of a batch that is %s', (arrow) => {
  const write = ARROWS[arrow]!;

  test.each([
    ['locked', 'SELECT id FROM Events WHERE id = 50 FOR UPDATE'],
    ['read with a lock', 'SELECT id FROM Events WHERE id = 50 LOCK IN SHARE MODE'],
    ['filled', "UPDATE Events SET valor = 'alheio', processing = 0 WHERE id = 50"],
    ['given back', 'UPDATE Events SET processing = 0 WHERE id = 50'],
    ['removed', 'DELETE FROM Events WHERE id = 50'],
  ])('one that an open transaction has %s is named, and the others do not wait', async (_, statement) => {
    const claims = await claimNew(100);
    const rollBack = await leaveOpen(statement);
    expect(await within(1_000, write(claims))).toEqual({ written: 99, locked: [50] });
    expect(await write([claims[49]!])).toEqual({ written: 0, locked: [50] });
    await rollBack();
    expect(await write([claims[49]!])).toEqual({ written: 1, locked: [] });
  });

  test('all may be locked', async () => {
    const claims = await claimNew(3);
    const rollBack = await leaveOpen('SELECT id FROM Events FOR UPDATE');
    expect(await within(1_000, write(claims))).toEqual({ written: 0, locked: [1, 2, 3] });
    await rollBack();
    expect(await write(claims)).toEqual({ written: 3, locked: [] });
  });

  test('one that is lost is not named, locked or not', async () => {
    const claims = await claimNew(4);
    await sql`UPDATE Events SET lease_until = UTC_TIMESTAMP(3) - INTERVAL 1 SECOND WHERE id IN (1, 2)`.execute(db);
    await leaveOpen('SELECT id FROM Events FORCE INDEX (PRIMARY) WHERE id IN (2, 3) FOR UPDATE');
    expect(await write(claims)).toEqual({ written: 1, locked: [3] });
  });

  test('one that stays locked until its lease is over is lost', async () => {
    const claims = await claimNew(1);
    await letTimePass();
    await leaveOpen('SELECT id FROM Events FOR UPDATE');
    expect(await write(claims)).toEqual({ written: 0, locked: [] });
  });

  test('none is changed by a claim of nothing', async () => {
    expect(await write([])).toEqual({ written: 0, locked: [] });
  });
});

test('a fill whose answer is lost is known to be done, but for the row that was locked', async () => {
  const claims = await claimNew(3);
  await leaveOpen('SELECT id FROM Events WHERE id = 2 FOR UPDATE');
  const pool = loseFirstAnswer(database.connect(), 'fill_events');
  const fills = claims.map((claim) => ({ ...claim, valor: 'feito' }));
  expect(await fillEvents(pool, { claimedBy: 'a', claims: fills })).toEqual({
    written: [fills[0], fills[2]],
    locked: [fills[1]],
    lost: [],
  });
});

test('a renewal that renews some, and is repeated, names only what is locked', async () => {
  const claims = await claimNew(3);
  await leaveOpen('SELECT id FROM Events WHERE id = 2 FOR UPDATE');
  for (let time = 0; time < 3; time++) {
    const renewal = { claimedBy: 'a', claims, leaseMs: LEASE_MS };
    expect(await renewEvents(db, renewal)).toEqual({ written: [claims[0], claims[2]], locked: [claims[1]], lost: [] });
  }
});

test('a dead event that is locked keeps no other from being revived', async () => {
  await createEvents(db, [{}, {}, {}]);
  await sql`UPDATE Events SET due_at = NULL`.execute(db);
  const rollBack = await leaveOpen('SELECT id FROM Events WHERE id = 2 FOR UPDATE');
  expect(await within(1_000, reviveAllDead(db))).toMatchObject({ revived: 2 });
  await rollBack();
  expect(await reviveAllDead(db)).toMatchObject({ revived: 1 });
});
