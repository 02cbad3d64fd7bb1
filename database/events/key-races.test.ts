import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { claimWords } from '../../tests/claim-words.ts';
import { createTestDatabase } from '../../tests/test-database.ts';
import { createEvents, createEventsOnce } from './create.ts';
import { lookAtKeys } from './keys.ts';
import { reviveAllDead } from './operate.ts';
import { fillEvents, giveBackEvents } from './settle.ts';

test('64 callers at once never have two of a key in their hands, and none waits for ever', async () => {
  const CALLERS = 64;
  const ROUNDS = 6;
  const KEYS = ['k', 'l', 'm'];
  const LIMITS = { poolSize: 16, queueWaitMs: 60_000, retryMs: 60_000 };
  await using database = await createTestDatabase(LIMITS);
  const pools = [database.db, database.connect(), database.connect()];
  const inHands = new Map<string, number>();
  const order = new Map<string, number[]>(KEYS.map((key) => [key, []]));
  const doubles: string[] = [];
  let created = 0;
  let settled = 0;
  const isOver = () => creators === 0 && settled === created;
  let creators = CALLERS / 2;

  const create = async (caller: number) => {
    const db = pools[caller % 3]!;
    for (let n = 0; n < ROUNDS; n++) {
      const key = KEYS[(caller + n) % 3]!;
      const events = Array.from({ length: 1 + (n % 2) }, (_, at) => ({ key: at === 0 ? key : 'k' }));
      if (caller % 2) await createEvents(db, events);
      else await createEventsOnce(db, [{ key: `${caller}-${n}`, events }]);
      created += events.length;
    }
    creators--;
  };
  const consume = async (caller: number) => {
    const db = pools[caller % 3]!;
    const claimedBy = `c${caller}`;
    let since: string | undefined;
    const deadline = performance.now() + 45_000;
    while (!isOver() && performance.now() < deadline) {
      const { claims, nextSince } = await claimWords(db, { claimedBy, limit: 2, maxFailures: 100, since });
      since = nextSince;
      if (claims.length === 0) await sleep(20 + Math.random() * 20);
      for (const { id, key } of claims) {
        if (inHands.has(key!)) doubles.push(`${key}: ${inHands.get(key!)} and ${id}`);
        inHands.set(key!, id);
      }
      for (const { id, key, attempt } of claims) {
        const isDeath = id % 5 === 0;
        const isRetry = id % 3 === 0 && attempt === 1;
        if (!isRetry) order.get(key!)!.push(id);
        inHands.delete(key!);
        const claim = { id, attempt };
        for (let isDone = false; !isDone; ) {
          const result = isRetry
            ? await giveBackEvents(db, { claimedBy, claims: [{ ...claim, outcome: 'later' as const, delayMs: 0 }] })
            : isDeath
              ? await giveBackEvents(db, {
                  claimedBy,
                  claims: [{ ...claim, outcome: 'refused' as const, reason: 'x' }],
                })
              : await fillEvents(db, { claimedBy, claims: [{ ...claim, valor: 'sim' }] });
          isDone = result.locked.length === 0;
        }
        if (!isRetry) settled++;
      }
    }
  };
  await Promise.all(
    Array.from({ length: CALLERS }, (_, caller) => (caller < CALLERS / 2 ? create(caller) : consume(caller))),
  );
  expect(doubles).toEqual([]);
  for (const ids of order.values()) expect(ids).toEqual(ids.toSorted((a, b) => a - b));
  const { rows } = await sql`
    SELECT event_key, EventKeys.id, processing, due_at, lease_until, valor, attempts
    FROM EventKeys LEFT JOIN Events ON Events.id = EventKeys.id ORDER BY event_key, id`.execute(database.db);
  expect(rows).toEqual([]);
  expect(settled).toBe(created);
}, 120_000);

test('revivals, looks at the keys and creates beside each other never let two of a key run at once, and lose none', async () => {
  const EVENTS = 60;
  await using database = await createTestDatabase({ poolSize: 16, queueWaitMs: 60_000, retryMs: 60_000 });
  const { db } = database;
  const inHands = new Map<string, number>();
  const doubles: string[] = [];
  const filled = new Set<number>();
  const deadline = performance.now() + 45_000;
  const isOver = () => filled.size === EVENTS || performance.now() > deadline;
  const pause = () => sleep(5 + Math.random() * 10);

  const create = async () => {
    for (let n = 0; n < EVENTS / 2; n++) {
      await createEvents(db, [{ key: n % 2 ? 'k' : 'l' }, { key: 'k' }]);
      await pause();
    }
  };
  const revive = async () => {
    for (; !isOver(); await pause()) await reviveAllDead(db, { outOfOrder: true });
  };
  const look = async () => {
    for (; !isOver(); await pause()) {
      await sql`UPDATE Installation SET keys_looked_at = '2000-01-01'`.execute(db);
      await lookAtKeys(db);
    }
  };
  const consume = async (claimedBy: string) => {
    for (; !isOver(); await pause()) {
      const { claims } = await claimWords(db, { claimedBy, limit: 2, maxFailures: 100 });
      for (const { id, key } of claims) {
        if (inHands.has(key!)) doubles.push(`${key}: ${inHands.get(key!)} and ${id}`);
        inHands.set(key!, id);
      }
      await pause();
      for (const { id, key, attempt } of claims) {
        inHands.delete(key!);
        // Each dies once or twice.
        const isDeath = attempt <= 1 + (id % 2);
        const fill = () => fillEvents(db, { claimedBy, claims: [{ id, attempt, valor: 'sim' }] });
        const bury = () =>
          giveBackEvents(db, { claimedBy, claims: [{ id, attempt, outcome: 'refused' as const, reason: 'x' }] });
        while ((await (isDeath ? bury() : fill())).locked.length > 0) await pause();
        if (!isDeath) filled.add(id);
      }
    }
  };
  await Promise.all([create(), revive(), revive(), look(), ...['a', 'b', 'c', 'd', 'e', 'f'].map(consume)]);
  expect(doubles).toEqual([]);
  expect(filled.size).toBe(EVENTS);
}, 120_000);
