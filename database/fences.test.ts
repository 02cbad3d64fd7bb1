import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { loseFirstAnswer } from '../tests/lose-first-answer.ts';
import { useTestDatabase } from '../tests/test-database.ts';
import { type Claim, claimEvents } from './events/claim.ts';
import { createEvents } from './events/create.ts';
import { failEvents, fillEvents, releaseEvents, renewEvents } from './events/settle.ts';

/** Each condition of each fence by itself: all the others hold. */

const database = await useTestDatabase();
const { db, letTimePass } = database;

const LEASE_MS = 30_000;
const RETRY = { maxAttempts: 2, firstDelayMs: 10_000, maxDelayMs: 60_000 };
const row = () => db.selectFrom('Events').selectAll().where('id', '=', 1).executeTakeFirstOrThrow();

/** What a holder does with its claim; resolves to how many events it changed. */
const ARROWS: Record<string, (claimedBy: string, claim: Claim) => Promise<number>> = {
  renewed: async (claimedBy, claim) =>
    (await renewEvents(db, { claimedBy, claims: [claim], leaseMs: LEASE_MS })).renewed,
  released: async (claimedBy, claim) => (await releaseEvents(db, { claimedBy, claims: [claim] })).released,
  failed: async (claimedBy, claim) =>
    (await failEvents(db, { claimedBy, failures: [{ ...claim, reason: 'no word' }], retry: RETRY })).failed,
  filled: async (claimedBy, claim) =>
    (await fillEvents(db, { claimedBy, fills: [{ ...claim, valor: 'tarde' }] })).filled.size,
};

async function claimOne(): Promise<Claim> {
  await createEvents(db, [{}]);
  const [claim] = (await claimEvents(db, { claimedBy: 'a/1', limit: 1, leaseMs: LEASE_MS })).claims;
  return claim!;
}

describe.each(Object.keys(ARROWS))('an event is not %s', (arrow) => {
  test.each<[string, string, number]>([
    ['by another consumer', 'b/1', 0],
    ['by another attempt of the same', 'a/1', 1],
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
    expect(await ARROWS[arrow]!('a/1', claim)).toBe(0);
    expect(await row()).toEqual(before);
  });

  test('once a client in another language has filled it', async () => {
    const claim = await claimOne();
    await sql`UPDATE Events SET valor = 'alheio' WHERE id = 1`.execute(db);
    const before = await row();
    await ARROWS[arrow]!('a/1', claim);
    expect(await row()).toEqual(before);
  });

  test('but its holder can do that', async () => {
    const claim = await claimOne();
    const before = await row();
    expect(await ARROWS[arrow]!('a/1', claim)).toBe(1);
    expect(await row()).not.toEqual(before);
  });
});

test('a lease is renewed for as long as was asked, from now on', async () => {
  await createEvents(db, [{}]);
  const [claim] = (await claimEvents(db, { claimedBy: 'a/1', limit: 1, leaseMs: 5_000 })).claims;
  await renewEvents(db, { claimedBy: 'a/1', claims: [claim!], leaseMs: LEASE_MS });
  const { rows } = await sql<{ s: string }>`
    SELECT TIMESTAMPDIFF(MICROSECOND, NOW(3), due_at) / 1000000 AS s FROM Events`.execute(db);
  expect(Number(rows[0]!.s)).toBeGreaterThan(25);
  expect(Number(rows[0]!.s)).toBeLessThanOrEqual(30);
});

test('a fill whose answer is lost is asked for again, and known to be done', async () => {
  const { id, attempt } = await claimOne();
  const pool = loseFirstAnswer(database.connect(), 'SET valor');
  expect((await fillEvents(pool, { claimedBy: 'a/1', fills: [{ id, attempt, valor: 'feito' }] })).filled).toEqual(
    new Set([1]),
  );
  expect(await row()).toMatchObject({ valor: 'feito', attempts: 1 });
});
