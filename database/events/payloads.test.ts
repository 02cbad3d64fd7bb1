import * as fc from 'fast-check';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { claimWords } from '../../tests/claim-words.ts';
import { useTestDatabase } from '../../tests/test-database.ts';
import { claimEvents } from './claim.ts';
import { createEvents, createEventsOnce, type NewEvent } from './create.ts';

const { db } = await useTestDatabase();

/** Creates them, each call by the next of the two ways, and claims them. */
async function createAndClaim(events: NewEvent[], once = false) {
  if (once) await createEventsOnce(db, [{ key: 'once', events }]);
  else await createEvents(db, events);
  return (await claimWords(db, { kind: 'email' })).claims;
}

async function forgetAll(): Promise<void> {
  for (const table of ['Events', 'EventPayloads', 'EventKeys', 'IdempotencyKeys'])
    await sql`DELETE FROM ${sql.table(table)}`.execute(db);
}

/** Texts of JSON that JSON.stringify would not write: spaces, digits, escapes and an order of members of their own. */
const jsonText: fc.Arbitrary<string> = fc.letrec<{ json: string }>((tie) => ({
  json: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom('null', 'true', '-0', '1e400', '12345678901234567890', '1.10', '"\\u00e7\\/"', '"\\ud83d\\ude00"'),
    fc.string({ unit: 'binary' }).map((text) => JSON.stringify(text)),
    fc.bigInt({ min: -(10n ** 25n), max: 10n ** 25n }).map(String),
    fc.array(tie('json')).map((items) => `[ ${items.join(' ,\n')}]`),
    fc
      .array(fc.tuple(fc.string({ unit: 'grapheme' }), tie('json')))
      .map((members) => `{${members.map(([name, json]) => `${JSON.stringify(name)}:\t${json}`).join(',')}}`),
  ),
})).json;

test.each([false, true])('any payload arrives as it was sent, character for character (once: %s)', async (once) => {
  await fc.assert(
    fc.asyncProperty(fc.array(jsonText, { minLength: 1, maxLength: 20 }), async (payloads) => {
      await forgetAll();
      const claims = await createAndClaim(
        payloads.map((payload) => ({ kind: 'email', payload })),
        once,
      );
      expect(claims.map(({ payload }) => payload)).toEqual(payloads);
    }),
    { numRuns: 30 },
  );
});

test.each([false, true])('any key and trace arrive as they were given (once: %s)', async (once) => {
  const key = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
    .map((text) => text.replaceAll(/\p{Cc}/gu, 'x'))
    .filter((text) => Array.from(text).length <= 255);
  const trace = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 600 });
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(fc.tuple(key, trace), { minLength: 1, selector: ([k]) => k }), async (given) => {
      await forgetAll();
      const claims = await createAndClaim(
        given.map(([k, t]) => ({ kind: 'email', key: k, trace: t })),
        once,
      );
      expect(claims.map((claim) => [claim.key, claim.trace])).toEqual(given);
      expect(claims[0]!.payload).toBeUndefined();
    }),
    { numRuns: 20 },
  );
});

test('keys that differ only in case, accents or spaces before them are different keys', async () => {
  const keys = ['k', 'K', 'ķ', ' k', 'k\u00a0', 'x'.repeat(255), '🦆'.repeat(255)];
  const claims = await createAndClaim(keys.map((key) => ({ kind: 'email', key })));
  expect(claims.map(({ key }) => key)).toEqual(keys);
});

test('events without a payload beside those with one are claimed without one', async () => {
  const claims = await createAndClaim([{ kind: 'email' }, { kind: 'email', payload: 'null' }, { kind: 'email' }]);
  expect(claims.map(({ payload }) => payload !== undefined)).toEqual([false, true, false]);
});

test('a payload of 1 MB, and one that is nested deeper than servers parse JSON, arrive', async () => {
  const payloads = [JSON.stringify('ç'.repeat(500_000)), `${'['.repeat(5_000)}${']'.repeat(5_000)}`];
  for (const once of [false, true]) {
    await forgetAll();
    const claims = await createAndClaim(
      payloads.map((payload) => ({ kind: 'email', payload })),
      once,
    );
    expect(claims.map(({ payload }) => payload)).toEqual(payloads);
  }
});

test('both ways of a create write identical rows', async () => {
  const event = fc.record(
    {
      kind: fc.constantFrom('word', 'email', 'other'),
      payload: jsonText,
      key: fc.constantFrom('k', 'l', 'ç🦆'),
      delayMs: fc.constantFrom(0, 1, 60_000, 31_536_000_000),
      trace: fc.constantFrom('00-a-b-01', 'x'),
    },
    { requiredKeys: [] },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(event, { minLength: 1, maxLength: 30 }), async (events) => {
      const tables: unknown[] = [];
      for (const way of ['one by one', 'at once', 'under a key', 'under two keys']) {
        await forgetAll();
        await sql`UPDATE DBStatus SET id = 0`.execute(db);
        const half = Math.ceil(events.length / 2);
        if (way === 'one by one') for (const one of events) await createEvents(db, [one]);
        if (way === 'at once') await createEvents(db, events);
        if (way === 'under a key') await createEventsOnce(db, [{ key: 'x', events }]);
        if (way === 'under two keys')
          await createEventsOnce(
            db,
            [events.slice(0, half), events.slice(half)].flatMap((part, n) =>
              part.length > 0 ? [{ key: `${n}`, events: part }] : [],
            ),
          );
        tables.push(await readTables());
      }
      for (const other of tables.slice(1)) expect(other).toEqual(tables[0]);
    }),
    { numRuns: 15 },
  );
});

/** All that a create writes; times as delays. */
async function readTables() {
  const events = await sql`
    SELECT Events.id, valor, processing, Kinds.name, claimed_by, attempts, lease_until, failures, waits, filled_at, last_error,
      dead_reason, open, IF(due_at > '9999-01-01', 'waits', TIMESTAMPDIFF(MICROSECOND, created_at, due_at) DIV 1000) AS due
    FROM Events JOIN Kinds ON Kinds.id = kind ORDER BY id`.execute(db);
  const payloads = await db.selectFrom('EventPayloads').selectAll().orderBy('id').execute();
  const keys = await sql`
    SELECT event_key, id, TIMESTAMPDIFF(MICROSECOND, created_at, own_due_at) DIV 1000 AS due
    FROM EventKeys JOIN Events USING (id) ORDER BY id`.execute(db);
  return { events: events.rows, payloads, keys: keys.rows };
}

test('a claim of several kinds takes at most 8 MB of payloads in all, and at least one event of each kind', async () => {
  const payload = JSON.stringify('x'.repeat(999_998));
  const kinds = ['email', 'picture', 'report', 'plain'];
  for (const kind of ['email', 'picture', 'report']) {
    await createEvents(
      db,
      Array.from({ length: 5 }, () => ({ kind, payload })),
    );
  }
  await createEvents(
    db,
    Array.from({ length: 20 }, () => ({ kind: 'plain' })),
  );
  const claim = async () => {
    const requests = kinds.map((kind) => ({ kind, limit: 100, maxFailures: 5 }));
    const results = await claimEvents(db, { claimedBy: 'a', leaseMs: 60_000, kinds: requests });
    return results.map(({ claims }) => claims.length);
  };
  expect([await claim(), await claim(), await claim()]).toEqual([
    [5, 3, 1, 20],
    [0, 2, 4, 0],
    [0, 0, 0, 0],
  ]);
});

test('a claim takes at most 8 MB of payloads, and the rest follows from the same cursor', async () => {
  const payload = JSON.stringify('x'.repeat(999_998));
  for (let n = 0; n < 5; n++)
    await createEvents(
      db,
      Array.from({ length: 4 }, () => ({ kind: 'email', payload })),
    );
  // Each of another time, long ago: the cursor must not pass those that were cut off.
  await sql`UPDATE Events SET due_at = UTC_TIMESTAMP(3) - INTERVAL (1000 - id) MINUTE`.execute(db);
  const claimed: number[][] = [];
  let since: string | undefined;
  for (let n = 0; n < 3; n++) {
    const { claims, nextSince } = await claimWords(db, { kind: 'email', since });
    claimed.push(claims.map(({ id }) => id));
    since = nextSince;
    // Another consumer has just made the look at all that is due.
    await sql`UPDATE Kinds SET looked_at = UTC_TIMESTAMP(3) + INTERVAL 1 HOUR`.execute(db);
  }
  expect(claimed).toEqual([
    [1, 2, 3, 4, 5, 6, 7, 8],
    [9, 10, 11, 12, 13, 14, 15, 16],
    [17, 18, 19, 20],
  ]);
  expect(await db.selectFrom('Events').select('id').where('attempts', '<>', 1).execute()).toEqual([]);
});
