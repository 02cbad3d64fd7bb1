import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { claimWords } from '../tests/claim-words.ts';
import { loseFirstAnswer } from '../tests/first-answer.ts';
import { useTestDatabase } from '../tests/test-database.ts';
import type { Claim } from './events/claim.ts';
import { createEvents } from './events/create.ts';
import { fillEvents, type GiveBack, giveBackEvents, renewEvents } from './events/settle.ts';

/** Each condition of each fence by itself: all the others hold. */

const database = await useTestDatabase();
const { db, letTimePass } = database;

const LEASE_MS = 30_000;
const row = () => db.selectFrom('Events').selectAll().where('id', '=', 1).executeTakeFirstOrThrow();
const giveBack = async (claimedBy: string, claim: GiveBack) =>
  (await giveBackEvents(db, { claimedBy, claims: [claim] })).givenBack;

/** What a holder does with its claim; resolves to how many events it changed. */
const ARROWS: Record<string, (claimedBy: string, claim: Claim) => Promise<number>> = {
  renewed: async (claimedBy, claim) =>
    (await renewEvents(db, { claimedBy, claims: [claim], leaseMs: 2 * LEASE_MS })).written.length,
  released: (claimedBy, claim) => giveBack(claimedBy, { ...claim, outcome: 'released' }),
  delayed: (claimedBy, claim) => giveBack(claimedBy, { ...claim, outcome: 'later', delayMs: 1_000 }),
  failed: (claimedBy, claim) => giveBack(claimedBy, { ...claim, outcome: 'failed', reason: 'x', delayMs: 1_000 }),
  refused: (claimedBy, claim) => giveBack(claimedBy, { ...claim, outcome: 'refused', reason: 'x' }),
  filled: async (claimedBy, claim) =>
    (await fillEvents(db, { claimedBy, claims: [{ ...claim, valor: 'tarde' }] })).written.length,
};

async function claimOne(): Promise<Claim> {
  await createEvents(db, [{}]);
  const [claim] = (await claimWords(db, { limit: 1 })).claims;
  return claim!;
}

describe.each(Object.keys(ARROWS))('an event is not %s', (arrow) => {
  test.each<[string, string, number]>([
    ['by another consumer', 'b', 0],
    ['by another attempt of the same', 'a', 1],
    ['by an earlier attempt of the same', 'a', -1],
  ])('%s', async (_, claimedBy, later) => {
    const { id, attempt } = await claimOne();
    const before = await row();
    expect(await ARROWS[arrow]!(claimedBy, { id, attempt: attempt + later })).toBe(0);
    expect(await row()).toEqual(before);
  });

  test('when its lease is over', async () => {
    const claim = await claimOne();
    await letTimePass();
    const before = await row();
    expect(await ARROWS[arrow]!('a', claim)).toBe(0);
    expect(await row()).toEqual(before);
  });

  test('by the stale run of a process that holds it again', async () => {
    const stale = await claimOne();
    await letTimePass();
    const [again] = (await claimWords(db)).claims;
    expect(again).toMatchObject({ id: 1, attempt: 2 });
    const before = await row();
    expect(await ARROWS[arrow]!('a', stale)).toBe(0);
    expect(await row()).toEqual(before);
    expect(await ARROWS[arrow]!('a', again!)).toBe(1);
  });

  test('once a client in another language has filled it', async () => {
    const claim = await claimOne();
    await sql`UPDATE Events SET valor = 'alheio' WHERE id = 1`.execute(db);
    const before = await row();
    await ARROWS[arrow]!('a', claim);
    expect(await row()).toEqual(before);
  });

  test('but its holder can do that', async () => {
    const claim = await claimOne();
    const before = await row();
    expect(await ARROWS[arrow]!('a', claim)).toBe(1);
    expect(await row()).not.toEqual(before);
  });
});

test('a lease is renewed for as long as was asked, from now on', async () => {
  await createEvents(db, [{}]);
  const { claims } = await claimWords(db, { leaseMs: 5_000 });
  await renewEvents(db, { claimedBy: 'a', claims, leaseMs: LEASE_MS });
  const { rows } = await sql<{ s: string }>`
    SELECT TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(3), lease_until) / 1000000 AS s FROM Events`.execute(db);
  expect(Number(rows[0]!.s)).toBeGreaterThan(25);
  expect(Number(rows[0]!.s)).toBeLessThanOrEqual(30);
});

test('a fill whose answer is lost is asked for again, and known to be done', async () => {
  const { id, attempt } = await claimOne();
  const pool = loseFirstAnswer(database.connect(), 'fill_events');
  const fills = [{ id, attempt, valor: 'feito' }];
  expect(await fillEvents(pool, { claimedBy: 'a', claims: fills })).toEqual({ written: fills, locked: [], lost: [] });
  expect(await row()).toMatchObject({ valor: 'feito', attempts: 1 });
});
