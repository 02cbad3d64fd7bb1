import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { claimIds, claimWords } from '../../tests/claim-words.ts';
import { createTestDatabase, useTestDatabase } from '../../tests/test-database.ts';
import type { Claim } from './claim.ts';
import { createEvents } from './create.ts';
import { findEvent, findSettledEvents } from './read.ts';
import { fillEvents, type GiveBack, giveBackEvents } from './settle.ts';

const { db, letTimePass } = await useTestDatabase();

const row = (id: number) => db.selectFrom('Events').selectAll().where('id', '=', id).executeTakeFirstOrThrow();

/** Seconds from now, by the database's clock, until the event is due. */
async function dueIn(id: number): Promise<number> {
  const { rows } = await sql<{ s: string }>`
    SELECT TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(3), due_at) / 1000000 AS s FROM Events WHERE id = ${id}`.execute(
    db,
  );
  return Number(rows[0]?.s);
}

const filled = async (claimedBy: string, claims: (Claim & { valor: string })[]) =>
  (await fillEvents(db, { claimedBy, claims })).written.map(({ id }) => id);

describe('held -> filled', () => {
  test('a fill writes the word and when, and the row leaves the range of the claim', async () => {
    await createEvents(db, [{}]);
    await claimWords(db);
    expect(await filled('a', [{ id: 1, attempt: 1, valor: 'coração' }])).toEqual([1]);
    expect(await row(1)).toMatchObject({ valor: 'coração', processing: 0, claimed_by: 'a', open: null });
    expect((await row(1)).filled_at).toBeInstanceOf(Date);
    expect(await findEvent(db, 1)).toEqual({ id: 1, kind: 'word', valor: 'coração', status: 'filled' });
  });

  test('a short value finds its place in its row, so that the table does not grow', async () => {
    await using database = await createTestDatabase();
    const dataBytes = async () => {
      await sql`ANALYZE TABLE Events`.execute(database.db);
      const { rows } = await sql<{ bytes: number }>`
        SELECT DATA_LENGTH AS bytes FROM information_schema.TABLES
        WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'Events'`.execute(database.db);
      return rows[0]!.bytes;
    };
    await createEvents(
      database.db,
      Array.from({ length: 10_000 }, () => ({})),
    );
    const before = await dataBytes();
    const { claims } = await claimWords(database.db, { limit: 10_000 });
    await fillEvents(database.db, {
      claimedBy: 'a',
      claims: claims.map((claim) => ({ ...claim, valor: `palavra${claim.id}` })),
    });
    expect(await dataBytes()).toBeLessThan(before * 1.2); // pages that were split would be twice as many
  });

  test('any word arrives letter by letter', async () => {
    const words = ['maçã', `it's`, 'a"b', 'back\\slash', '\n', '🦆', '%_', '$[0]'];
    await createEvents(
      db,
      words.map(() => ({})),
    );
    const { claims } = await claimWords(db);
    const fills = claims.map((claim, index) => ({ ...claim, valor: words[index]! }));
    expect(await filled('a', fills)).toHaveLength(words.length);
    const settled = await findSettledEvents(db, [1, 2, 3, 4, 5, 6, 7, 8]);
    expect(settled.map(({ valor }) => valor)).toEqual(words);
  });

  test('a value of another kind is kept as the text of JSON that it is, of 64 kB and more', async () => {
    const values = ['null', '""', '0', '{"b":1,"a":12345678901234567890}', JSON.stringify('ção🦆'.repeat(10_000))];
    await createEvents(
      db,
      values.map(() => ({ kind: 'email' })),
    );
    const { claims } = await claimWords(db, { kind: 'email' });
    expect(
      await filled(
        'a',
        claims.map((claim, n) => ({ ...claim, valor: values[n]! })),
      ),
    ).toHaveLength(5);
    const settled = await findSettledEvents(db, [1, 2, 3, 4, 5]);
    expect(settled).toEqual(values.map((valor, n) => ({ id: n + 1, kind: 'email', valor, status: 'filled' })));
    expect((await row(1)).processing).toBe(0);
  });

  test('the same fill sent again changes nothing and still counts as done', async () => {
    await createEvents(db, [{}]);
    await claimWords(db);
    const fills = [{ id: 1, attempt: 1, valor: 'pão' }];
    await filled('a', fills);
    expect(await filled('a', fills)).toEqual([1]);
  });

  test.each([
    ['of another consumer', 'b', { id: 1, attempt: 1 }],
    ['of an earlier attempt', 'a', { id: 1, attempt: 0 }],
    ['of an event that does not exist', 'a', { id: 99, attempt: 1 }],
  ])('a fill %s changes nothing', async (_, claimedBy, claim) => {
    await createEvents(db, [{}]);
    await claimWords(db);
    expect(await filled(claimedBy, [{ ...claim, valor: 'não' }])).toEqual([]);
    expect(await findEvent(db, 1)).toMatchObject({ valor: null, status: 'processing' });
  });

  test('a fill whose lease is over changes nothing, even if nobody else has claimed the event', async () => {
    await createEvents(db, [{}]);
    await claimWords(db);
    await letTimePass();
    expect(await filled('a', [{ id: 1, attempt: 1, valor: 'tarde' }])).toEqual([]);
  });

  test('of a batch, only the claims that still hold are filled, and the others are named', async () => {
    await createEvents(db, [{}, {}]);
    const { claims } = await claimWords(db);
    await sql`UPDATE Events SET lease_until = UTC_TIMESTAMP(3) - INTERVAL 1 SECOND WHERE id = 1`.execute(db);
    expect(await claimIds(db, { claimedBy: 'b' })).toEqual([1]);
    const fills = claims.map((claim) => ({ ...claim, valor: 'sol' }));
    const result = await fillEvents(db, { claimedBy: 'a', claims: fills });
    expect(result).toEqual({ written: [fills[1]], locked: [], lost: [fills[0]] });
    expect(await findEvent(db, 1)).toMatchObject({ valor: null });
  });
});

describe('held -> due again, or dead', () => {
  const giveBack = async (...outcomes: object[]) => {
    await createEvents(
      db,
      outcomes.map(() => ({})),
    );
    const { claims } = await claimWords(db);
    const all = claims.map(({ id, attempt }, n) => ({ id, attempt, ...outcomes[n] }) as GiveBack);
    expect(await giveBackEvents(db, { claimedBy: 'a', claims: all })).toEqual({ givenBack: all.length, locked: [] });
  };

  test('a released event is due at once, and nothing is counted but the claim', async () => {
    await giveBack({ outcome: 'released' });
    expect(await row(1)).toMatchObject({ processing: 0, claimed_by: '', attempts: 1, failures: 0, waits: 0 });
    expect((await claimWords(db, { claimedBy: 'b' })).claims).toMatchObject([{ id: 1, attempt: 2, failures: 0 }]);
  });

  test('a failed one counts a failure, keeps the reason, and is due after its pause', async () => {
    await giveBack({ outcome: 'failed', reason: 'sem palavra', delayMs: 40_000 });
    expect(await row(1)).toMatchObject({ failures: 1, waits: 0, last_error: 'sem palavra', dead_reason: null });
    expect(Math.round(await dueIn(1))).toBe(40);
    expect(await findEvent(db, 1)).toMatchObject({ status: 'pending' });
    expect(await claimIds(db)).toEqual([]);
  });

  test('a failed one without a pause is dead, and callers are not told why', async () => {
    await giveBack({ outcome: 'failed', reason: 'segredo', delayMs: undefined });
    expect(await row(1)).toMatchObject({ failures: 1, due_at: null, processing: 2, last_error: 'segredo' });
    const dead = { id: 1, kind: 'word', valor: null, status: 'dead', deadReason: null };
    expect(await findSettledEvents(db, [1])).toEqual([dead]);
    await letTimePass();
    expect(await claimIds(db)).toEqual([]);
  });

  test('a refused one is dead, and callers are told why', async () => {
    await giveBack({ outcome: 'refused', reason: 'não há' });
    expect(await row(1)).toMatchObject({ failures: 1, due_at: null, last_error: 'não há' });
    const dead = { id: 1, kind: 'word', valor: null, status: 'dead', deadReason: 'não há' };
    expect(await findSettledEvents(db, [1])).toEqual([dead]);
  });

  test('a later one is due after its pause, and only its waits grow', async () => {
    await giveBack({ outcome: 'later', delayMs: 5_000 });
    expect(await row(1)).toMatchObject({ failures: 0, waits: 1, attempts: 1, last_error: null, processing: 0 });
    expect(Math.round(await dueIn(1))).toBe(5);
  });

  test('one call carries all outcomes, each for its own event', async () => {
    await giveBack(
      { outcome: 'refused', reason: 'a' },
      { outcome: 'later', delayMs: 60_000 },
      { outcome: 'failed', reason: 'c', delayMs: 60_000 },
      { outcome: 'released' },
      { outcome: 'failed', reason: 'e', delayMs: undefined },
    );
    const rows = await db.selectFrom('Events').selectAll().orderBy('id').execute();
    expect(rows.map((r) => [r.failures, r.waits, r.last_error, r.dead_reason, r.due_at === null])).toEqual([
      [1, 0, 'a', 'a', true],
      [0, 1, null, null, false],
      [1, 0, 'c', null, false],
      [0, 0, null, null, false],
      [1, 0, 'e', null, true],
    ]);
    expect(await claimIds(db)).toEqual([4]);
  });

  test('events of other kinds are free at processing = 2 when they are given back', async () => {
    await createEvents(db, [{ kind: 'email' }]);
    const { claims } = await claimWords(db, { kind: 'email' });
    expect(await row(1)).toMatchObject({ processing: 1 });
    await giveBackEvents(db, { claimedBy: 'a', claims: claims.map((c) => ({ ...c, outcome: 'released' })) });
    expect(await row(1)).toMatchObject({ processing: 2 });
    expect(await findEvent(db, 1)).toMatchObject({ status: 'pending' });
    expect(await claimIds(db, { kind: 'email' })).toEqual([1]);
  });
});

describe('a reason that people read', () => {
  test.each<[string, string, string]>([
    ['is cut between two characters', `${'x'.repeat(254)}🦆🦆`, `${'x'.repeat(254)}🦆`],
    ['has 255 characters, however many bytes', '🦆'.repeat(300), '🦆'.repeat(255)],
    ['has half a character replaced', 'a\ud83d b \udc86 c', 'a\ufffd b \ufffd c'],
    ['may end in half a character', `${'x'.repeat(254)}\ud83d`, `${'x'.repeat(254)}\ufffd`],
    ['may be empty', '', ''],
    ['may hold anything that JSON escapes', 'a\0b\n"\\\u2028\x1b', 'a\0b\n"\\\u2028\x1b'],
    ['may be all there is of a large answer', 'ção '.repeat(100_000), `${'ção '.repeat(63)}ção`],
  ])('%s, and harms no other failure', async (_, reason, kept) => {
    await createEvents(db, [{}, {}]);
    const [first, second] = (await claimWords(db)).claims;
    const claims: GiveBack[] = [
      { ...first!, outcome: 'refused', reason },
      { ...second!, outcome: 'failed', reason: 'outro', delayMs: 1 },
    ];
    expect(await giveBackEvents(db, { claimedBy: 'a', claims })).toEqual({ givenBack: 2, locked: [] });
    expect(await row(1)).toMatchObject({ last_error: kept, dead_reason: kept });
    expect((await row(2)).last_error).toBe('outro');
  });
});
