import { expect, test } from 'vitest';
import { createEventsOnce } from '../database/events/create.ts';
import { useTestDatabase } from '../tests/test-database.ts';
import { forgetKeysRound, runForgetKeys } from './forget-keys.ts';

const database = await useTestDatabase();
const { db } = database;

const createKeys = (count: number) =>
  createEventsOnce(
    db,
    Array.from({ length: count }, (_, index) => ({ key: `k${index}`, events: [{}] })),
  );
const countKeys = async () => (await db.selectFrom('IdempotencyKeys').select('idempotency_key').execute()).length;
const fail = (error: unknown) => {
  throw error;
};

test('forgets 500 at a time, and comes back soon while there may be more', async () => {
  await createKeys(700);
  const deps = { db, rememberMs: 0, onError: fail };
  expect(await forgetKeysRound(deps)).toBeLessThan(100);
  expect(await countKeys()).toBe(200);
  expect(await forgetKeysRound(deps)).toBeGreaterThan(10_000);
  expect(await countKeys()).toBe(0);
});

test('remembers a key for as long as it is told to', async () => {
  await createKeys(1);
  await forgetKeysRound({ db, rememberMs: 60_000, onError: fail });
  expect(await countKeys()).toBe(1);
});

test('a round that fails says so, and another one follows', async () => {
  const errors: unknown[] = [];
  const gone = database.connect({ url: 'mysql://nobody:nothing@127.0.0.1:1/none', retryMs: 0 });
  const delayMs = await forgetKeysRound({ db: gone, rememberMs: 0, onError: (error) => errors.push(error) });
  expect(errors).toHaveLength(1);
  expect(delayMs).toBeGreaterThan(0);
});

test('goes on until it is told to stop', async () => {
  await createKeys(1_200);
  const stop = new AbortController();
  const running = runForgetKeys({ db, rememberMs: 0, onError: fail }, stop.signal);
  await expect.poll(countKeys, { timeout: 10_000 }).toBe(0);
  stop.abort();
  await running;
});
