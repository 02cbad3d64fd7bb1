import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { ClaimRange } from '../database/events/claim.ts';
import { createClaimCursor } from './claim-cursor.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Claims that are told `at` as the next beginning, and take `tookMs`; answers the `since` of each. */
function createClaims() {
  const cursor = createClaimCursor();
  return (at: number, tookMs = 1): Promise<Date | undefined> =>
    cursor(async ({ since, onNext }: ClaimRange) => {
      await vi.advanceTimersByTimeAsync(tookMs);
      onNext?.(new Date(at));
      return since;
    });
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
  await cursor(({ onNext }) => Promise.resolve(onNext?.(new Date(5_000))));
  await vi.advanceTimersByTimeAsync(1_000);
  const fail = async ({ since }: ClaimRange) => {
    expect(since).toBeUndefined();
    await vi.advanceTimersByTimeAsync(10_000);
    throw new Error('no answer within 10000 ms');
  };
  await expect(cursor(fail)).rejects.toThrow('no answer');
  expect(await cursor(({ since }) => Promise.resolve(since))).toEqual(new Date(5_000));
});
