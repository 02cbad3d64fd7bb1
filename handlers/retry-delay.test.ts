import { expect, test } from 'vitest';
import { toRetryDelay } from './retry-delay.ts';

const MINUTE_MS = 60_000;

test('by default the pause is 10 s, doubled with each failure, at most 10 minutes', () => {
  const pauses = [1, 2, 3, 6, 7, 8, 2_000].map(toRetryDelay(undefined));
  expect(pauses).toEqual([10_000, 20_000, 40_000, 320_000, 10 * MINUTE_MS, 10 * MINUTE_MS, 10 * MINUTE_MS]);
});

test('a number is a fixed pause, and a function makes its own', () => {
  expect([1, 2, 9].map(toRetryDelay(500))).toEqual([500, 500, 500]);
  expect([1, 2, 9].map(toRetryDelay((failures) => failures * 0.4))).toEqual([1, 1, 4]);
});

test('no function can keep a failure from being written down', () => {
  const throws = () => {
    throw new Error('no');
  };
  for (const bad of [throws, () => Number.NaN, () => -1, () => Infinity, () => '5' as unknown as number]) {
    expect(toRetryDelay(bad)(2)).toBe(20_000);
  }
  expect(toRetryDelay(() => 1e15)(1)).toBe(31_536_000_000);
});
