import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { claimIds } from '../../tests/claim-words.ts';
import { useTestDatabase } from '../../tests/test-database.ts';
import { createEvents } from './create.ts';
import { type GiveBack, giveBackEvents } from './settle.ts';
import { wake } from './wake.ts';

/** A wake makes the next event of a key due, whatever it waits for. */

const { db } = await useTestDatabase();

const HOUR_MS = 3_600_000;
const row = (id: number) => db.selectFrom('Events').selectAll().where('id', '=', id).executeTakeFirstOrThrow();

/** The claim of event 1 ends so. */
async function giveBack(outcome: Omit<GiveBack, 'id' | 'attempt'>): Promise<void> {
  const { attempts } = await row(1);
  await giveBackEvents(db, { claimedBy: 'a', claims: [{ id: 1, attempt: attempts, ...outcome } as GiveBack] });
}

const LATER = { outcome: 'later', delayMs: HOUR_MS } as const;
const FAILED = { outcome: 'failed', delayMs: HOUR_MS, reason: 'x' } as const;

test.each([
  ['said later', LATER],
  ['failed', FAILED],
])('an event that %s is due at once', async (_, outcome) => {
  await createEvents(db, [{ key: 'k' }]);
  await claimIds(db);
  await giveBack(outcome);
  expect(await claimIds(db)).toEqual([]);
  await wake(db, 'word', 'k');
  expect(await claimIds(db)).toEqual([1]);
});

test('an event that was created with a delay is due at once', async () => {
  await createEvents(db, [{ key: 'k', delayMs: HOUR_MS }]);
  await wake(db, 'word', 'k');
  expect(await claimIds(db)).toEqual([1]);
});

test('a later after the wake does not delay the event, and the next later does', async () => {
  await createEvents(db, [{ key: 'k' }]);
  expect(await claimIds(db)).toEqual([1]);
  await wake(db, 'word', 'k');
  await giveBack(LATER);
  expect(await row(1)).toMatchObject({ waits: 1, failures: 0 });
  expect(await claimIds(db)).toEqual([1]);
  await giveBack(LATER);
  expect(await claimIds(db)).toEqual([]);
});

test('an event that is woken while its consumer dies is due again, and since its creation', async () => {
  await createEvents(db, [{ key: 'k' }]);
  await claimIds(db);
  await wake(db, 'word', 'k');
  await sql`UPDATE Events SET lease_until = UTC_TIMESTAMP(3) - INTERVAL 1 SECOND`.execute(db);
  expect(await claimIds(db, { claimedBy: 'b' })).toEqual([1]);
  const { due_at, created_at } = await row(1);
  expect(due_at).toEqual(created_at);
});

test('a failure after the wake waits as long as ever', async () => {
  await createEvents(db, [{ key: 'k' }]);
  await claimIds(db);
  await wake(db, 'word', 'k');
  await giveBack(FAILED);
  expect(await claimIds(db)).toEqual([]);
});

test('another key, another kind, and what waits behind an event of its key stay as they are', async () => {
  const waiting = { delayMs: HOUR_MS };
  await createEvents(db, [{ key: 'other', ...waiting }, { kind: 'job', key: 'k', ...waiting }, { key: 'k' }]);
  const before = await db.selectFrom('Events').select(['id', 'due_at']).orderBy('id').execute();
  await wake(db, 'word', 'k');
  await wake(db, 'unknown', 'k');
  await wake(db, 'word', 'nobody');
  expect(await db.selectFrom('Events').select(['id', 'due_at']).orderBy('id').execute()).toEqual(before);
});

test('what is due already keeps its place', async () => {
  await createEvents(db, [{ key: 'k' }]);
  const { due_at } = await row(1);
  await wake(db, 'word', 'k');
  expect(await row(1)).toMatchObject({ due_at });
});
