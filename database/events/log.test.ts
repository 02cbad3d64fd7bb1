import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { claimWords } from '../../tests/claim-words.ts';
import { loseFirstAnswer } from '../../tests/first-answer.ts';
import { connectForeignClient } from '../../tests/foreign-client.ts';
import { createTestDatabase, useTestDatabase } from '../../tests/test-database.ts';
import { loadSchema } from '../load-schema.ts';
import { transactionsFor } from '../transactions.ts';
import { type ClaimedEvent, lockEvents } from './claim.ts';
import { createEvents } from './create.ts';
import { type Attempt, forgetLog, searchLog } from './log.ts';
import { fillEvents, fillLocked, type GiveBack, giveBackEvents, giveBackLocked } from './settle.ts';

const database = await useTestDatabase();
const { db, letTimePass } = database;

const attempt = (outcome: Attempt['outcome'], more: Partial<Attempt> = {}): Attempt => ({
  outcome,
  startedAt: performance.now() - 1_500,
  ...more,
});

async function claimNew(count: number): Promise<ClaimedEvent[]> {
  await createEvents(
    db,
    Array.from({ length: count }, () => ({})),
  );
  return (await claimWords(db)).claims;
}

const toFill = (claim: ClaimedEvent) => ({ ...claim, valor: 'sol', log: attempt('filled', { text: 'sol' }) });
const toFailure = (claim: ClaimedEvent): GiveBack => ({
  ...claim,
  outcome: 'failed',
  reason: 'no such address',
  delayMs: 9,
  log: attempt('failed', { text: 'no such address' }),
});

/** [event, attempt, outcome] of each line. */
const lines = async () => (await searchLog(db)).map((line) => [line.id, line.attempt, line.outcome]);

test('a line says which attempt it was, who made it, how it ended and how long it took', async () => {
  const [claim] = await claimNew(1);
  const log = attempt('filled', { text: `${'ç'.repeat(254)}🎈🎈`, key: 'order-17' });
  await fillEvents(db, { claimedBy: 'a', claims: [{ ...claim!, valor: 'sol', log }] });
  const [line] = await searchLog(db);
  expect(line).toEqual({
    line: expect.any(Number),
    id: 1,
    kind: 'word',
    attempt: 1,
    startedAt: expect.any(Date),
    endedAt: expect.any(Date),
    consumer: 'a',
    outcome: 'filled',
    text: `${'ç'.repeat(254)}🎈`,
    key: 'order-17',
  });
  const { filled_at } = await db.selectFrom('Events').select('filled_at').executeTakeFirstOrThrow();
  expect(Math.abs(line!.endedAt.getTime() - filled_at!.getTime())).toBeLessThan(1_000);
  expect(line!.endedAt.getTime() - line!.startedAt!.getTime()).toBeGreaterThanOrEqual(1_500);
});

test('only events with something to log get a line', async () => {
  const [first, second, third] = await claimNew(3);
  await fillEvents(db, { claimedBy: 'a', claims: [{ ...first!, valor: 'sol' }, toFill(second!)] });
  await giveBackEvents(db, { claimedBy: 'a', claims: [{ ...third!, outcome: 'released' }] });
  expect(await lines()).toEqual([[2, 1, 'filled']]);
});

describe.each([
  ['filled', (claims: ClaimedEvent[], pool = db) => fillEvents(pool, { claimedBy: 'a', claims: claims.map(toFill) })],
  ['failed', (claims: ClaimedEvent[]) => giveBackEvents(db, { claimedBy: 'a', claims: claims.map(toFailure) })],
] as const)('a claim that is %s', (outcome, write) => {
  test('and is no longer ours leaves no line', async () => {
    const claims = await claimNew(3);
    await letTimePass();
    await claimWords(db, { claimedBy: 'b', limit: 1 });
    await write(claims);
    expect(await lines()).toEqual([]);
  });

  test('while another connection has it locked leaves its line when it is written', async () => {
    const claims = await claimNew(3);
    const stranger = await connectForeignClient(database.url);
    await stranger.beginTransaction();
    await stranger.query('SELECT id FROM Events FORCE INDEX (PRIMARY) WHERE id = 2 FOR UPDATE');
    await write(claims);
    expect(await lines()).toEqual([
      [1, 1, outcome],
      [3, 1, outcome],
    ]);
    await stranger.rollback();
    await write(claims.slice(1, 2));
    expect(await lines()).toContainEqual([2, 1, outcome]);
  });

  test('twice leaves one line', async () => {
    const claims = await claimNew(2);
    await write(claims);
    await write(claims);
    expect(await lines()).toEqual([
      [1, 1, outcome],
      [2, 1, outcome],
    ]);
  });
});

test('a fill that is sent again since its answer was lost leaves one line', async () => {
  const claims = await claimNew(2);
  const pool = loseFirstAnswer(database.connect(), 'fill_events');
  expect(await fillEvents(pool, { claimedBy: 'a', claims: claims.map(toFill) })).toMatchObject({ lost: [] });
  expect(await lines()).toHaveLength(2);
});

test('what is settled in the transaction that locked it leaves its line in that transaction', async () => {
  await createEvents(db, [{}, {}, {}]);
  const settle = async (isRolledBack: boolean) => {
    const since = '2000-01-01';
    await transactionsFor(db).run(async (transaction) => {
      const request = { kind: 'word', limit: 2, maxFailures: 5, since };
      const { claims } = await lockEvents(transaction.db, request);
      await fillLocked(transaction.db, { claimedBy: 'a', claims: [toFill(claims[0]!)] });
      await giveBackLocked(transaction.db, { claimedBy: 'a', claims: [toFailure(claims[1]!)] });
      if (isRolledBack) throw new Error('undone');
    });
  };
  await expect(settle(true)).rejects.toThrow('undone');
  expect(await lines()).toEqual([]);
  await settle(false);
  expect(await lines()).toEqual([
    [1, 1, 'filled'],
    [2, 1, 'failed'],
  ]);
});

describe('a lease that is over', () => {
  test('leaves a line of the consumer that is gone, if the kind is logged', async () => {
    await claimNew(2);
    const { lease_until } = await db.selectFrom('Events').select('lease_until').executeTakeFirstOrThrow();
    await db
      .updateTable('Events')
      .set({ lease_until: new Date(lease_until.getTime() - 60_000) })
      .execute();
    await claimWords(db, { claimedBy: 'b', limit: 0, log: true });
    const [line, ...others] = await searchLog(db);
    expect(others).toHaveLength(1);
    expect(line).toMatchObject({ id: 1, attempt: 1, consumer: 'a', outcome: 'lost', text: 'its consumer died' });
    expect(line).toMatchObject({ startedAt: null, endedAt: new Date(lease_until.getTime() - 60_000), key: null });
  });

  test('says that the event is dead with it, and nothing of a kind that is not logged', async () => {
    await claimNew(1);
    await letTimePass();
    await claimWords(db, { claimedBy: 'b', limit: 1 });
    expect(await searchLog(db)).toEqual([]);
    await letTimePass();
    await claimWords(db, { claimedBy: 'c', limit: 0, maxFailures: 2, log: true });
    expect(await searchLog(db)).toMatchObject([{ attempt: 2, consumer: 'b', text: 'its consumers died' }]);
  });
});

describe('a search', () => {
  test('by key finds all lines of the events that have it, also those of consumers that died', async () => {
    const claims = await claimNew(3);
    await giveBackEvents(db, {
      claimedBy: 'a',
      claims: [{ ...claims[0]!, outcome: 'failed', reason: 'x', delayMs: 0, log: attempt('failed', { key: 'k' }) }],
    });
    await fillEvents(db, { claimedBy: 'a', claims: [{ ...toFill(claims[1]!), log: attempt('filled', { key: 'K' }) }] });
    await claimWords(db, { limit: 1 });
    await letTimePass();
    await claimWords(db, { limit: 0, log: true });
    const found = await searchLog(db, { key: 'k' });
    expect(found.map(({ id, attempt: n, outcome }) => [id, n, outcome])).toEqual([
      [1, 1, 'failed'],
      [1, 2, 'lost'],
    ]);
    expect(await searchLog(db, { key: 'k', id: 2 })).toEqual([]);
    expect(await searchLog(db, { key: 'none' })).toEqual([]);
  });

  test('answers the last lines, oldest first, and the page before them', async () => {
    const claims = await claimNew(5);
    await fillEvents(db, { claimedBy: 'a', claims: claims.map(toFill) });
    const last = await searchLog(db, { limit: 2 });
    expect(last.map(({ id }) => id)).toEqual([4, 5]);
    const before = await searchLog(db, { limit: 2, before: last[0]!.line });
    expect(before.map(({ id }) => id)).toEqual([2, 3]);
    expect(await searchLog(db, { id: 3 })).toMatchObject([{ id: 3 }]);
  });

  test('finds lines of an event that somebody has deleted', async () => {
    await fillEvents(db, { claimedBy: 'a', claims: (await claimNew(1)).map(toFill) });
    await db.deleteFrom('Events').execute();
    expect(await searchLog(db, { id: 1 })).toMatchObject([{ id: 1, kind: null }]);
  });
});

test('values, reasons and lines of a database with another character set keep every letter', async () => {
  await using latin = await createTestDatabase({ hasSchema: false });
  const [name] = /test_\w+$/.exec(latin.url)!;
  await sql.raw(`ALTER DATABASE ${name} CHARACTER SET latin1`).execute(latin.db);
  await loadSchema(latin.db);
  await createEvents(latin.db, [{}, {}]);
  const [first, second] = (await claimWords(latin.db)).claims;
  const log = attempt('filled', { text: '世界', key: '世' });
  await fillEvents(latin.db, { claimedBy: 'a', claims: [{ ...first!, valor: '世界', log }] });
  const failed = { outcome: 'failed', reason: '界', delayMs: 9, log: attempt('failed', { text: '界' }) } as const;
  await giveBackEvents(latin.db, { claimedBy: 'a', claims: [{ ...second!, ...failed }] });
  const rows = await latin.db.selectFrom('Events').select(['valor', 'last_error']).orderBy('id').execute();
  expect(rows).toEqual([
    { valor: '世界', last_error: null },
    { valor: null, last_error: '界' },
  ]);
  expect(await searchLog(latin.db, { key: '世' })).toMatchObject([{ id: 1, text: '世界' }]);
  expect(await searchLog(latin.db, { id: 2 })).toMatchObject([{ text: '界' }]);
});

test('old lines are forgotten, a few at a time and the oldest first, and young ones are kept', async () => {
  await fillEvents(db, { claimedBy: 'a', claims: (await claimNew(5)).map(toFill) });
  const [, , , kept] = await searchLog(db);
  const old = new Date(kept!.endedAt.getTime() - 120_000);
  await db.updateTable('EventLog').set({ ended_at: old }).where('line', '<', kept!.line).execute();
  expect(await forgetLog(db, { olderThanMs: 60_000, limit: 2 })).toBe(2);
  expect((await searchLog(db)).map(({ id }) => id)).toEqual([3, 4, 5]);
  expect(await forgetLog(db, { olderThanMs: 60_000, limit: 2 })).toBe(1);
  expect(await forgetLog(db, { olderThanMs: 60_000, limit: 2 })).toBe(0);
  expect((await searchLog(db)).map(({ id }) => id)).toEqual([4, 5]);
});
