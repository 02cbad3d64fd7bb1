import { expect, test } from 'vitest';
import { claimWords } from '../../tests/claim-words.ts';
import { fillAll, killAll } from '../../tests/producer-app.ts';
import { useTestDatabase } from '../../tests/test-database.ts';
import { createEvents } from './create.ts';
import { listDead, reviveAllDead, reviveEvents, showEvent } from './operate.ts';
import { findEvent, findSettledEvents } from './read.ts';

const { db, letTimePass } = await useTestDatabase();

test('of many ids, only those that nobody works on any more are reported as settled', async () => {
  await createEvents(db, [{ kind: 'email' }, {}, { kind: 'other' }, { kind: 'email' }, {}]);
  await fillAll(db, 'null', 'email');
  await killAll(db, 'other', 'sem palavra');
  await claimWords(db, { limit: 1 });
  const settled = await findSettledEvents(db, [5, 4, 3, 2, 1, 99]);
  expect(settled.toSorted((a, b) => a.id - b.id)).toEqual([
    { id: 1, kind: 'email', valor: 'null', status: 'filled' },
    { id: 3, kind: 'other', valor: null, status: 'dead', deadReason: 'sem palavra' },
    { id: 4, kind: 'email', valor: 'null', status: 'filled' },
    { id: 99, valor: null, status: 'gone' },
  ]);
  expect(await findSettledEvents(db, [])).toEqual([]);
});

test('an event whose row somebody deleted is gone, and so is one that never was', async () => {
  await createEvents(db, [{}, {}]);
  await db.deleteFrom('Events').where('id', '=', 1).execute();
  expect(await findSettledEvents(db, [1, 2, 99])).toEqual([
    { id: 1, valor: null, status: 'gone' },
    { id: 99, valor: null, status: 'gone' },
  ]);
});

test('a revived event has all its attempts before it again; others are not touched', async () => {
  await createEvents(db, [{ kind: 'email' }]);
  await killAll(db, 'email', 'sem palavra');
  expect(await findEvent(db, 1)).toEqual({ id: 1, kind: 'email', valor: null, status: 'dead' });
  await createEvents(db, [{ kind: 'email' }]);
  expect(await reviveEvents(db, [1, 2, 99])).toEqual({ revived: new Set([1]), outOfOrder: new Set() });
  expect(await reviveEvents(db, [1, 2, 99])).toEqual({ revived: new Set(), outOfOrder: new Set() });
  expect(await showEvent(db, 1)).toMatchObject({
    attempts: 1,
    failures: 0,
    status: 'pending',
    lastError: 'sem palavra',
  });
  expect((await claimWords(db, { kind: 'email' })).claims).toMatchObject([
    { id: 1, attempt: 2, failures: 0 },
    { id: 2 },
  ]);
  await letTimePass();
});

test('the dead of several kinds are listed together, by id, page by page', async () => {
  const kinds = ['word', 'email', 'other'];
  await createEvents(
    db,
    Array.from({ length: 30 }, (_, n) => ({ kind: kinds[n % 3]! })),
  );
  await fillAll(db, 'null', 'other');
  for (const kind of ['email', 'word']) await killAll(db, kind);
  await createEvents(db, [{}, { kind: 'email' }]);
  const dead = Array.from({ length: 30 }, (_, n) => n + 1).filter((id) => id % 3 !== 0);
  const listed: number[] = [];
  for (let after = 0; ; after = listed.at(-1)!) {
    const page = await listDead(db, { limit: 7, after });
    if (page.length === 0) break;
    expect(page.length).toBeLessThanOrEqual(7);
    for (const { id, kind, status } of page) expect([kind, status]).toEqual([kinds[(id - 1) % 3], 'dead']);
    listed.push(...page.map(({ id }) => id));
  }
  expect(listed).toEqual(dead);
  expect(await reviveAllDead(db)).toEqual({ revived: 20, outOfOrder: 0 });
  expect(await listDead(db, { limit: 7 })).toEqual([]);
});
