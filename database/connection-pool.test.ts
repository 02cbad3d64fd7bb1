import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createConnectionPool } from './connection-pool.ts';
import { PoolBusyError } from './database-error.ts';

const LONG_MS = 60_000;
const soon = (ms = LONG_MS) => performance.now() + ms;

/** A pool of names; each `made()` lets the one that has been asked for longest be made. */
function setUp({
  size = 2,
  queueLimit = 10,
  queueWaitMs = LONG_MS,
  whyNotMade = () => undefined as Error | undefined,
} = {}) {
  const asked: { made: (name: string) => Promise<void>; failed: () => Promise<void> }[] = [];
  const closed: string[] = [];
  const ended = new Set<string>();
  const open = () => {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    asked.push({
      made: async (name) => {
        resolve(name);
        await sleep(0);
      },
      failed: async () => {
        reject(new Error('no server'));
        await sleep(0);
      },
    });
    return promise;
  };
  const pool = createConnectionPool({
    open,
    close: (name) => closed.push(name),
    hasEnded: (name) => ended.has(name),
    whyNotMade,
    size,
    queueLimit,
    queueWaitMs,
  });
  return { asked, closed, ended, ...pool };
}

/** With one connection, `a`, in use. */
async function setUpInUse(options: Parameters<typeof setUp>[0] = {}) {
  const pool = setUp(options);
  const taken = pool.take(soon());
  await pool.asked[0]!.made('a');
  expect(await taken).toBe('a');
  return pool;
}

test('whoever waits gets what is given back, in the order of their coming, and what was made too late is kept', async () => {
  const { take, giveBack, asked } = await setUpInUse({ size: 3 });
  const second = take(soon());
  const third = take(soon());
  giveBack('a');
  expect(await second).toBe('a');
  await asked[1]!.made('b'); // for the second, who needs it no more: the third still waits
  expect(await third).toBe('b');
  await asked[2]!.made('c');
  expect(await take(soon())).toBe('c');
  expect(asked).toHaveLength(3);
});

test('no more are made than the pool may have, nor than are waited for', async () => {
  const { take, giveBack, asked } = setUp({ size: 2 });
  const taken = [take(soon()), take(soon()), take(soon())];
  expect(asked).toHaveLength(2);
  await asked[0]!.made('a');
  await asked[1]!.made('b');
  giveBack('a');
  expect(await Promise.all(taken)).toEqual(['a', 'b', 'a']);
  expect(asked).toHaveLength(2);
});

test('one that has ended is not handed on, whether it was idle, in use or in the making', async () => {
  const { take, giveBack, asked, ended } = await setUpInUse({ size: 1 });
  const second = take(soon());
  ended.add('a'); // in use
  giveBack('a');
  await asked[1]!.made('b');
  expect(await second).toBe('b');
  giveBack('b');
  ended.add('b'); // idle
  const third = take(soon());
  ended.add('c'); // in the making
  await asked[2]!.made('c');
  await asked[3]!.made('d');
  expect(await third).toBe('d');
});

test('what goes wrong in making one reaches one caller, and another is made for whoever still waits', async () => {
  const { take, asked } = setUp({ size: 1 });
  const [first, second] = [take(soon()), take(soon())];
  const failure = expect(first).rejects.toThrow('no server');
  await asked[0]!.failed();
  await failure;
  await asked[1]!.made('a');
  expect(await second).toBe('a');
});

test('one that is dropped makes room for whoever waits', async () => {
  const { take, drop, asked, closed } = await setUpInUse({ size: 1 });
  const second = take(soon());
  drop('a');
  await asked[1]!.made('b');
  expect(await second).toBe('b');
  expect(closed).toEqual(['a']);
});

test('while all are in use a caller is refused after the queue’s wait, and the connection is not lost on them', async () => {
  const { take, giveBack } = await setUpInUse({ size: 1, queueWaitMs: 10 });
  await expect(take(soon())).rejects.toThrow(PoolBusyError);
  giveBack('a');
  expect(await take(soon())).toBe('a');
});

test('a caller whose wait is over while one is made for another is refused soon after that one is made', async () => {
  const { take, asked } = await setUpInUse({ size: 2, queueWaitMs: 10 });
  const second = take(soon());
  const third = expect(take(soon())).rejects.toThrow(PoolBusyError);
  await sleep(30); // past its wait, which alone refuses nobody
  await asked[1]!.made('b');
  expect(await second).toBe('b');
  await third;
});

test('one caller more than may wait is refused at once', async () => {
  const { take, giveBack } = await setUpInUse({ size: 1, queueLimit: 1 });
  const waiting = take(soon());
  await expect(take(soon())).rejects.toThrow(PoolBusyError);
  giveBack('a');
  expect(await waiting).toBe('a');
});

test('a server that never lets in is waited for until the caller gives up, and is not taken for a busy pool', async () => {
  const { take } = setUp({ queueWaitMs: 10 });
  const beganAt = performance.now();
  await expect(take(soon(100))).rejects.toMatchObject({ code: 'ETIMEDOUT', message: /could be made/ });
  expect(performance.now() - beganAt).toBeGreaterThan(90);
});

test('where it is known why none can be made, that is what a caller who gives up is told', async () => {
  const { take } = setUp({ whyNotMade: () => new Error('no host takes writes') });
  await expect(take(soon(20))).rejects.toThrow('no host takes writes');
});

test('a pool that has ended refuses everybody, and closes what is still made', async () => {
  const { take, end, asked, closed } = await setUpInUse({ size: 2 });
  const waiting = expect(take(soon())).rejects.toThrow('ended');
  expect(end()).toEqual(['a']);
  await waiting;
  await expect(take(soon())).rejects.toThrow('ended');
  await asked[1]!.made('b');
  expect(closed).toEqual(['b']);
});
