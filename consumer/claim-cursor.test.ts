import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createClaimCursor } from './claim-cursor.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Claims after which the next one may begin at `next`, and which take `tookMs`; resolves to the `since` of each. */
function createClaims() {
  const cursor = createClaimCursor();
  return async (next: number, tookMs = 1): Promise<Date | undefined> => {
    let begin: Date | undefined;
    await cursor(async (since) => {
      begin = since;
      await vi.advanceTimersByTimeAsync(tookMs);
      return { claims: [], nextSince: new Date(next) };
    });
    return begin;
  };
}

test('the first claim looks at all, the following ones begin where the last one ended', async () => {
  const claim = createClaims();
  expect(await claim(5_000)).toBeUndefined();
  expect(await claim(6_000)).toEqual(new Date(5_000));
  expect(await claim(7_000)).toEqual(new Date(6_000));
});

test('a second after one that looked at all, the next one does', async () => {
  const claim = createClaims();
  await claim(5_000);
  await vi.advanceTimersByTimeAsync(900);
  expect(await claim(6_000)).toEqual(new Date(5_000));
  await vi.advanceTimersByTimeAsync(100);
  expect(await claim(7_000)).toBeUndefined();
  expect(await claim(8_000)).toEqual(new Date(7_000));
});

test('looking at all takes a tenth of the time at most', async () => {
  const claim = createClaims();
  await claim(5_000, 400);
  await vi.advanceTimersByTimeAsync(3_900);
  expect(await claim(6_000)).toEqual(new Date(5_000));
  await vi.advanceTimersByTimeAsync(100);
  expect(await claim(7_000)).toBeUndefined();
});

test('but is not put off for longer than ten seconds, for what took long may have been an outage', async () => {
  const claim = createClaims();
  await claim(5_000, 30_000);
  await vi.advanceTimersByTimeAsync(9_900);
  expect(await claim(6_000)).toEqual(new Date(5_000));
  await vi.advanceTimersByTimeAsync(100);
  expect(await claim(7_000)).toBeUndefined();
});

test('one that failed while it looked at all is not repeated at once', async () => {
  const cursor = createClaimCursor();
  await cursor(async () => ({ claims: [], nextSince: new Date(5_000) }));
  await vi.advanceTimersByTimeAsync(1_000);
  const fail = async (since: Date | undefined) => {
    expect(since).toBeUndefined();
    await vi.advanceTimersByTimeAsync(10_000);
    throw new Error('no answer within 10000 ms');
  };
  await expect(cursor(fail)).rejects.toThrow('no answer');
  const next = await cursor(async (since) => ({ claims: [], nextSince: since! }));
  expect(next).toMatchObject({ nextSince: new Date(5_000) });
});
