import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { useTestDatabase } from '../tests/test-database.ts';
import { claimEvents } from './events/claim.ts';
import { createEvents } from './events/create.ts';
import { reviveEvents, showEvent } from './events/operate.ts';
import { countEvents, findEvent, findSettledEvents } from './events/read.ts';
import { failEvents, fillEvents, releaseEvents } from './events/settle.ts';

const database = await useTestDatabase();
const { db, letTimePass } = database;

const LEASE_MS = 30_000;
const RETRY = { maxAttempts: 2, firstDelayMs: 10_000, maxDelayMs: 60_000 };

const row = (id: number) => db.selectFrom('Events').selectAll().where('id', '=', id).executeTakeFirstOrThrow();

/** Seconds from now, by the database's clock, until the event is due. */
async function dueIn(id: number): Promise<number> {
  const { rows } = await sql<{ s: string }>`
    SELECT TIMESTAMPDIFF(MICROSECOND, NOW(3), due_at) / 1000000 AS s FROM Events WHERE id = ${id}`.execute(db);
  return Number(rows[0]?.s);
}

describe('created -> pending', () => {
  test('ids are 1, 2, 3 … without gaps, and the count is the newest id', async () => {
    expect(await createEvents(db, [{}, {}, {}])).toBe(1);
    expect(await createEvents(db, [{}])).toBe(4);
    expect(await countEvents(db)).toBe(4);
    const { rows } = await sql<{ id: number }>`SELECT id FROM Events ORDER BY id`.execute(db);
    expect(rows.map(({ id }) => id)).toEqual([1, 2, 3, 4]);
    expect(await findEvent(db, 4)).toEqual({ id: 4, valor: null, status: 'pending' });
  });

  test('more events than a recursive query could make are created in one call', async () => {
    expect(
      await createEvents(
        db,
        Array.from({ length: 10_000 }, () => ({})),
      ),
    ).toBe(1);
    expect(await countEvents(db)).toBe(10_000);
  });

  test('an event that was never created is not found', async () => {
    expect(await findEvent(db, 1)).toBeUndefined();
    expect(await findEvent(db, Number.MAX_SAFE_INTEGER)).toBeUndefined();
  });

  test('a counter that stays behind the newest event is mended, and no id is given twice', async () => {
    await createEvents(db, [{}, {}, {}]);
    await sql`UPDATE DBStatus SET id = 1`.execute(db);
    expect(await createEvents(db, [{}])).toBe(4);
    expect(await countEvents(db)).toBe(4);
  });
});

describe('pending -> processing', () => {
  test('a claim takes the oldest due events, holds them for the lease, and numbers the attempt', async () => {
    await createEvents(db, [{}, {}, {}]);
    const { claims } = await claimEvents(db, { claimedBy: 'a/1', limit: 2, leaseMs: LEASE_MS });
    expect(claims).toEqual([
      { id: 1, attempt: 1 },
      { id: 2, attempt: 1 },
    ]);
    expect(await row(1)).toMatchObject({ processing: 1, claimed_by: 'a/1', attempts: 1 });
    expect(await dueIn(1)).toBeGreaterThan(25);
    expect(await findEvent(db, 1)).toEqual({ id: 1, valor: null, status: 'processing' });
    expect(await findEvent(db, 3)).toEqual({ id: 3, valor: null, status: 'pending' });
  });

  test('what is held is not claimed again before its lease is over', async () => {
    await createEvents(db, [{}]);
    await claimEvents(db, { claimedBy: 'a/1', limit: 10, leaseMs: LEASE_MS });
    expect((await claimEvents(db, { claimedBy: 'b/1', limit: 10, leaseMs: LEASE_MS })).claims).toEqual([]);
  });

  test('an event whose lease is over is pending again and is claimed by the same query', async () => {
    await createEvents(db, [{}]);
    await claimEvents(db, { claimedBy: 'a/1', limit: 10, leaseMs: LEASE_MS });
    await letTimePass();
    expect(await findEvent(db, 1)).toMatchObject({ status: 'pending' });
    expect((await claimEvents(db, { claimedBy: 'b/1', limit: 10, leaseMs: LEASE_MS })).claims).toEqual([
      { id: 1, attempt: 2 },
    ]);
  });

  test('a claim looks at what has been due since then, and tells from when on the next need look', async () => {
    const hoursAgo = async (id: number) => {
      const { rows } = await sql<{ due_at: Date }>`SELECT due_at FROM Events WHERE id = ${id}`.execute(db);
      return rows[0]!.due_at;
    };
    await createEvents(db, [{}, {}, {}, {}]);
    await sql`UPDATE Events SET due_at = NOW(3) - INTERVAL (5 - id) HOUR WHERE id <= 3`.execute(db);
    const [first, second, third] = await Promise.all([1, 2, 3].map(hoursAgo));
    const told: Date[] = [];
    const claim = async (limit: number, since?: Date) => {
      const { claims, nextSince } = await claimEvents(db, { claimedBy: 'a/1', limit, leaseMs: LEASE_MS, since });
      told.push(nextSince);
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
      const { claims, nextSince } = await claimEvents(db, { claimedBy: 'a/1', limit: 10, leaseMs: LEASE_MS });
      expect(claims).toHaveLength(claimed);
      const { rows } = await sql<{ us: number }>`
        SELECT TIMESTAMPDIFF(MICROSECOND, ${nextSince}, NOW(3)) AS us`.execute(db);
      expect(rows[0]!.us).toBeGreaterThanOrEqual(1_000_000);
    }
  });

  test('nothing due is an empty list', async () => {
    expect((await claimEvents(db, { claimedBy: 'a/1', limit: 10, leaseMs: LEASE_MS })).claims).toEqual([]);
  });
});

describe('processing -> filled', () => {
  test('a fill writes the word and when, and the row leaves the range of the claim', async () => {
    await createEvents(db, [{}]);
    await claimEvents(db, { claimedBy: 'a/1', limit: 1, leaseMs: LEASE_MS });
    expect(
      (await fillEvents(db, { claimedBy: 'a/1', fills: [{ id: 1, attempt: 1, valor: 'coração' }] })).filled,
    ).toEqual(new Set([1]));
    expect(await row(1)).toMatchObject({ valor: 'coração', processing: 0, claimed_by: 'a/1', open: null });
    expect((await row(1)).filled_at).toBeInstanceOf(Date);
    expect(await findEvent(db, 1)).toEqual({ id: 1, valor: 'coração', status: 'filled' });
  });

  test('any word arrives letter by letter', async () => {
    const words = ['maçã', `it's`, 'a"b', 'back\\slash', '\n', '🦆', '%_', '$[0]'];
    await createEvents(
      db,
      words.map(() => ({})),
    );
    const { claims } = await claimEvents(db, { claimedBy: 'a/1', limit: words.length, leaseMs: LEASE_MS });
    const fills = claims.map((claim, index) => ({ ...claim, valor: words[index]! }));
    expect((await fillEvents(db, { claimedBy: 'a/1', fills })).filled.size).toBe(words.length);
    expect((await findSettledEvents(db, [1, 2, 3, 4, 5, 6, 7, 8])).map(({ valor }) => valor)).toEqual(words);
  });

  test('the same fill sent again changes nothing and still counts as done', async () => {
    await createEvents(db, [{}]);
    await claimEvents(db, { claimedBy: 'a/1', limit: 1, leaseMs: LEASE_MS });
    const fills = [{ id: 1, attempt: 1, valor: 'pão' }];
    await fillEvents(db, { claimedBy: 'a/1', fills });
    expect((await fillEvents(db, { claimedBy: 'a/1', fills })).filled).toEqual(new Set([1]));
  });

  test.each([
    ['of another consumer', 'b/1', { id: 1, attempt: 1 }],
    ['of an earlier attempt', 'a/1', { id: 1, attempt: 0 }],
    ['of an event that does not exist', 'a/1', { id: 99, attempt: 1 }],
  ])('a fill %s changes nothing', async (_, claimedBy, claim) => {
    await createEvents(db, [{}]);
    await claimEvents(db, { claimedBy: 'a/1', limit: 1, leaseMs: LEASE_MS });
    expect((await fillEvents(db, { claimedBy, fills: [{ ...claim, valor: 'não' }] })).filled).toEqual(new Set());
    expect(await findEvent(db, 1)).toMatchObject({ valor: null, status: 'processing' });
  });

  test('a fill whose lease is over changes nothing, even if nobody else has claimed the event', async () => {
    await createEvents(db, [{}]);
    await claimEvents(db, { claimedBy: 'a/1', limit: 1, leaseMs: LEASE_MS });
    await letTimePass();
    expect((await fillEvents(db, { claimedBy: 'a/1', fills: [{ id: 1, attempt: 1, valor: 'tarde' }] })).filled).toEqual(
      new Set(),
    );
  });

  test('of a batch, only the claims that still hold are filled', async () => {
    await createEvents(db, [{}, {}]);
    const { claims } = await claimEvents(db, { claimedBy: 'a/1', limit: 2, leaseMs: LEASE_MS });
    await sql`UPDATE Events SET due_at = NOW(3) - INTERVAL 1 SECOND WHERE id = 1`.execute(db);
    await claimEvents(db, { claimedBy: 'b/1', limit: 1, leaseMs: LEASE_MS });
    const fills = claims.map((claim) => ({ ...claim, valor: 'sol' }));
    expect((await fillEvents(db, { claimedBy: 'a/1', fills })).filled).toEqual(new Set([2]));
    expect(await findEvent(db, 1)).toMatchObject({ valor: null });
  });
});

describe('processing -> pending', () => {
  test('an event that is given back is due at once and its attempt does not count', async () => {
    await createEvents(db, [{}]);
    const { claims } = await claimEvents(db, { claimedBy: 'a/1', limit: 1, leaseMs: LEASE_MS });
    expect(await releaseEvents(db, { claimedBy: 'a/1', claims })).toMatchObject({ released: 1 });
    expect(await row(1)).toMatchObject({ processing: 0, claimed_by: '', attempts: 0 });
    expect((await claimEvents(db, { claimedBy: 'b/1', limit: 1, leaseMs: LEASE_MS })).claims).toEqual([
      { id: 1, attempt: 1 },
    ]);
  });

  test('only the holder can give an event back', async () => {
    await createEvents(db, [{}]);
    const { claims } = await claimEvents(db, { claimedBy: 'a/1', limit: 1, leaseMs: LEASE_MS });
    expect(await releaseEvents(db, { claimedBy: 'b/1', claims })).toMatchObject({ released: 0 });
    expect(await findEvent(db, 1)).toMatchObject({ status: 'processing' });
  });

  test('a failed attempt waits before the next one, twice as long each time, up to the limit', async () => {
    await createEvents(db, [{}]);
    const patient = { ...RETRY, maxAttempts: 10 };
    const waits: number[] = [];
    for (let attempt = 1; attempt <= 4; attempt++) {
      const { claims } = await claimEvents(db, { claimedBy: 'a/1', limit: 1, leaseMs: LEASE_MS });
      const failures = claims.map((claim) => ({ ...claim, reason: 'sem palavra' }));
      await failEvents(db, { claimedBy: 'a/1', failures, retry: patient });
      waits.push(Math.round(await dueIn(1)));
      expect(await findEvent(db, 1)).toMatchObject({ status: 'pending' });
      await letTimePass();
    }
    expect(waits).toEqual([10, 20, 40, 60]);
    expect(await row(1)).toMatchObject({ attempts: 4, last_error: 'sem palavra' });
  });

  test('the wait stays at its limit however many attempts there were', async () => {
    await createEvents(db, [{}]);
    await sql`UPDATE Events SET attempts = 1999`.execute(db);
    const [claim] = (await claimEvents(db, { claimedBy: 'a/1', limit: 1, leaseMs: LEASE_MS })).claims;
    expect(
      await failEvents(db, {
        claimedBy: 'a/1',
        failures: [{ ...claim!, reason: 'x' }],
        retry: { ...RETRY, maxAttempts: 5_000 },
      }),
    ).toMatchObject({ failed: 1 });
    expect(Math.round(await dueIn(1))).toBe(60);
  });
});

test('a counter that is ahead of the newest event is not set back', async () => {
  await createEvents(db, [{}, {}]);
  await sql`DELETE FROM Events WHERE id = 2`.execute(db);
  await sql`CALL raise_counter()`.execute(db);
  expect(await countEvents(db)).toBe(2);
});

describe('processing -> dead -> pending', () => {
  async function killEvent(): Promise<void> {
    await createEvents(db, [{}]);
    for (let attempt = 1; attempt <= RETRY.maxAttempts; attempt++) {
      await letTimePass();
      await claimEvents(db, { claimedBy: 'a/1', limit: 1, leaseMs: LEASE_MS });
      await failEvents(db, { claimedBy: 'a/1', failures: [{ id: 1, attempt, reason: 'x'.repeat(300) }], retry: RETRY });
    }
  }

  test('an event whose attempts are spent is dead: kept, shown, and never claimed', async () => {
    await killEvent();
    expect(await findEvent(db, 1)).toEqual({ id: 1, valor: null, status: 'dead' });
    expect(await findSettledEvents(db, [1])).toEqual([{ id: 1, valor: null, status: 'dead' }]);
    expect((await row(1)).last_error).toHaveLength(255);
    await letTimePass();
    expect((await claimEvents(db, { claimedBy: 'a/1', limit: 1, leaseMs: LEASE_MS })).claims).toEqual([]);
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
    await killEvent();
    await createEvents(db, [{}]);
    expect(await reviveEvents(db, [1, 2, 99])).toEqual(new Set([1]));
    expect(await reviveEvents(db, [1, 2, 99])).toEqual(new Set());
    expect(await row(1)).toMatchObject({ attempts: 0, processing: 0 });
    expect((await claimEvents(db, { claimedBy: 'a/1', limit: 10, leaseMs: LEASE_MS })).claims).toHaveLength(2);
  });
});

describe('rules that bind clients in every language', () => {
  test('a filled word never changes, whoever tries', async () => {
    await createEvents(db, [{}]);
    await sql`UPDATE Events SET valor = 'mar', processing = 0 WHERE id = 1`.execute(db);
    await sql`UPDATE Events SET valor = 'terra', processing = 1 WHERE id = 1`.execute(db);
    await sql`UPDATE Events SET valor = NULL WHERE id = 1`.execute(db);
    expect(await row(1)).toMatchObject({ valor: 'mar', processing: 0 });
    expect((await row(1)).filled_at).toBeInstanceOf(Date);
  });

  test('a claim without a lease gets one of 60 s, and ends every older claim', async () => {
    await createEvents(db, [{}]);
    const { claims } = await claimEvents(db, { claimedBy: 'a/1', limit: 1, leaseMs: LEASE_MS });
    await sql`UPDATE Events SET processing = 0 WHERE id = 1`.execute(db);
    await sql`UPDATE Events SET processing = 1 WHERE id = 1`.execute(db);
    expect(Math.round(await dueIn(1))).toBe(60);
    expect(await row(1)).toMatchObject({ claimed_by: '', attempts: 2 });
    const late = claims.map((claim) => ({ ...claim, valor: 'tarde' }));
    expect((await fillEvents(db, { claimedBy: 'a/1', fills: late })).filled).toEqual(new Set());
  });

  test('an empty word counts as none', async () => {
    await createEvents(db, [{}]);
    await sql`UPDATE Events SET valor = '' WHERE id = 1`.execute(db);
    expect(await findEvent(db, 1)).toMatchObject({ valor: null, status: 'pending' });
    expect((await claimEvents(db, { claimedBy: 'a/1', limit: 1, leaseMs: LEASE_MS })).claims).toHaveLength(1);
  });

  test('an id that JSON could not carry exactly is refused by the table', async () => {
    await expect(sql`INSERT INTO Events (id) VALUES (9007199254740992)`.execute(db)).rejects.toThrow(/exact_id/);
  });
});

test('of many ids, only those that nobody works on any more are reported as settled', async () => {
  await createEvents(db, [{}, {}, {}]);
  await claimEvents(db, { claimedBy: 'a/1', limit: 1, leaseMs: LEASE_MS });
  await fillEvents(db, { claimedBy: 'a/1', fills: [{ id: 1, attempt: 1, valor: 'rio' }] });
  expect(await findSettledEvents(db, [1, 2, 3])).toEqual([{ id: 1, valor: 'rio', status: 'filled' }]);
  expect(await findSettledEvents(db, [])).toEqual([]);
});

test('what a client that knows no leases gives back is due at once', async () => {
  await createEvents(db, [{}]);
  await sql`UPDATE Events SET processing = 1`.execute(db);
  expect(await row(1)).toMatchObject({ attempts: 1, claimed_by: '' });
  await sql`UPDATE Events SET processing = 0`.execute(db);
  expect((await claimEvents(db, { claimedBy: 'a/1', limit: 10, leaseMs: LEASE_MS })).claims).toEqual([
    { id: 1, attempt: 2 },
  ]);
});

test('a claim makes no row longer, so claimed_by has the same length for nobody as for a consumer', async () => {
  const { rows } = await sql<Record<string, unknown>>`
    SELECT DATA_TYPE AS type, CHARACTER_SET_NAME AS charset, CHARACTER_OCTET_LENGTH AS bytes
    FROM information_schema.COLUMNS
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'Events' AND COLUMN_NAME = 'claimed_by'`.execute(db);
  expect(rows).toEqual([{ type: 'char', charset: 'ascii', bytes: 64 }]);
  await createEvents(db, [{}, {}, {}]);
  expect(await row(1)).toMatchObject({ claimed_by: '' });
  const claim = { claimedBy: 'a/1', limit: 2, leaseMs: LEASE_MS };
  const [first, second] = (await claimEvents(db, claim)).claims;
  await releaseEvents(db, { claimedBy: 'a/1', claims: [first!] });
  await failEvents(db, { claimedBy: 'a/1', failures: [{ ...second!, reason: 'x' }], retry: RETRY });
  await sql`UPDATE Events SET processing = 1 WHERE id = 3`.execute(db);
  for (const id of [1, 2, 3]) expect(await row(id)).toMatchObject({ claimed_by: '' });
  expect(await showEvent(db, 1)).toMatchObject({ claimedBy: null });
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
    const { claims } = await claimEvents(db, { claimedBy: 'a/1', limit: 2, leaseMs: LEASE_MS });
    const failures = claims.map((claim) => ({ ...claim, reason: claim.id === 1 ? reason : 'outro' }));
    expect(await failEvents(db, { claimedBy: 'a/1', failures, retry: RETRY })).toEqual({ failed: 2, locked: [] });
    expect([(await row(1)).last_error, (await row(2)).last_error]).toEqual([kept, 'outro']);
  });
});
