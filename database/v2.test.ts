import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { useTestDatabase } from '../tests/test-database.ts';
import { claimEvents } from './events/claim.ts';
import { createEvents, createEventsOnce } from './events/create.ts';
import { addKinds, findUnservedKinds } from './events/kinds.ts';
import { listDead, reviveAllDead, showEvent } from './events/operate.ts';
import { findEvent, findSettledEvents } from './events/read.ts';
import { fillEvents, giveBackEvents, renewEvents } from './events/settle.ts';

const { db } = await useTestDatabase();
const claim = async (kind = 'word', limit = 10) =>
  (await claimEvents(db, { claimedBy: 'c', leaseMs: 30_000, kinds: [{ kind, limit, maxFailures: 3 }] }))[0]!.claims;

test('life of words', async () => {
  expect(await createEvents(db, [{}, {}, {}])).toBe(1);
  const claims = await claim();
  expect(claims).toMatchObject([{ id: 1, attempt: 1, failures: 0, waits: 0 }, { id: 2 }, { id: 3 }]);
  expect(claims[0]!.createdAt.getTime()).toBeGreaterThan(Date.now() - 5_000);
  expect(await renewEvents(db, { claimedBy: 'c', claims, leaseMs: 60_000 })).toMatchObject({ lost: [] });
  const fills = claims.map((c) => ({ ...c, valor: 'a' }));
  expect(await fillEvents(db, { claimedBy: 'c', claims: fills })).toEqual({ written: fills, locked: [], lost: [] });
  expect(await fillEvents(db, { claimedBy: 'd', claims: fills })).toEqual({ written: [], locked: [], lost: fills });
  expect(await findEvent(db, 1)).toEqual({ id: 1, kind: 'word', valor: 'a', status: 'filled' });
});

test('kinds and keys', async () => {
  const payload = '{"b":1,"a":12345678901234567890,"10":"ç\\"x"}';
  const first = await createEvents(db, [
    { kind: 'email', payload, key: 'k' },
    { kind: 'email', payload: 'null', key: 'k' },
    { kind: 'email', delayMs: 60_000 },
    { kind: 'other', key: 'k' },
  ]);
  expect(first).toBe(1);
  let claims = await claim('email');
  expect(claims).toMatchObject([{ id: 1, key: 'k', payload }]);
  await fillEvents(db, { claimedBy: 'c', claims: claims.map((c) => ({ ...c, valor: '{"x":1}' })) });
  expect(await createEvents(db, [{ kind: 'email', key: 'k' }])).toBe(5);
  claims = await claim('email');
  expect(claims).toMatchObject([{ id: 2, key: 'k', payload: 'null' }]);
  expect(
    await giveBackEvents(db, {
      claimedBy: 'c',
      claims: claims.map((c) => ({ ...c, outcome: 'refused' as const, reason: 'no' })),
    }),
  ).toEqual({ givenBack: 1, locked: [] });
  expect(await findSettledEvents(db, [1, 2, 3, 99])).toEqual([
    { id: 1, kind: 'email', valor: '{"x":1}', status: 'filled' },
    { id: 2, kind: 'email', valor: null, status: 'dead', deadReason: 'no' },
    { id: 99, valor: null, status: 'gone' },
  ]);
  expect(await claim('email')).toEqual([]);
  const other = await claim('other');
  expect(other).toMatchObject([{ id: 4, key: 'k' }]);
  await giveBackEvents(db, {
    claimedBy: 'c',
    claims: other.map((c) => ({ ...c, outcome: 'later' as const, delayMs: 0 })),
  });
  expect(await claim('email')).toEqual([]);
  const again = await claim('other');
  expect(again).toMatchObject([{ id: 4, waits: 1, attempt: 2, failures: 0 }]);
  await fillEvents(db, { claimedBy: 'c', claims: again.map((c) => ({ ...c, valor: 'null' })) });
  expect(await claim('email')).toMatchObject([{ id: 5 }]);
  expect(await listDead(db, { limit: 10 })).toMatchObject([{ id: 2, kind: 'email', failures: 1 }]);
  expect(await reviveAllDead(db)).toBe(1);
  expect(
    await createEventsOnce(db, [
      { key: 'a', events: [{ kind: 'email', payload: '1' }, {}] },
      { key: 'b', events: [{}] },
    ]),
  ).toEqual(
    new Map([
      ['a', { firstId: 6, howMany: 2 }],
      ['b', { firstId: 8, howMany: 1 }],
    ]),
  );
  expect(await showEvent(db, 6)).toMatchObject({ kind: 'email' });
  expect(await showEvent(db, 7)).toMatchObject({ kind: 'word' });
});

test('poison', async () => {
  await createEvents(db, [{ kind: 'p' }]);
  for (let i = 0; i < 3; i++) {
    expect(await claim('p')).toMatchObject([{ id: 1, failures: i, attempt: i + 1 }]);
    await sql`UPDATE Events SET lease_until = UTC_TIMESTAMP(3) - INTERVAL 1 SECOND`.execute(db);
  }
  expect(await claim('p')).toEqual([]);
  expect(await listDead(db, { limit: 10 })).toMatchObject([{ id: 1, lastError: 'its consumers died', failures: 3 }]);
});

test('cut', async () => {
  const payload = JSON.stringify('x'.repeat(60_000));
  for (let i = 0; i < 2; i++)
    await createEvents(
      db,
      Array.from({ length: 150 }, () => ({ kind: 'big', payload })),
    );
  expect((await claim('big', 1_000)).length).toBe(133);
  await addKinds(db, ['big', 'q', 'r']);
  expect(await findUnservedKinds(db)).toEqual([]);
});
