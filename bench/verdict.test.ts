import { expect, test } from 'vitest';
import { judge, median } from './verdict.ts';

test('the median of an even number of values lies between the two in the middle', () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([10, 1, 2, 4])).toBe(3);
  expect(median([11, 9, 100])).toBe(11);
  expect(() => median([])).toThrow('nothing');
});

test('a ratio is of values measured side by side, so that a slow while of the machine cancels out', () => {
  const row = { scenario: 'B1', what: 'x', unit: '/s', bar: { atLeast: 0.5 } };
  const { ratio, met } = judge({ ...row, ours: [60, 6, 66], baseline: { name: 'bare', values: [100, 10, 100] } });
  expect(ratio).toEqual({ median: 0.6, least: 0.6, most: 0.66 });
  expect(met).toBe(true);
});

test('a row without a baseline is held against the bar by its value, one without a bar by nothing', () => {
  const row = { scenario: 'B8', what: 'x', unit: 'ms', ours: [90, 120, 130] };
  expect(judge({ ...row, bar: { atMost: 100 } }).met).toBe(false);
  expect(judge({ ...row, bar: { atMost: 120 } }).met).toBe(true);
  expect(judge(row)).toEqual({ ours: { median: 120, least: 90, most: 130 } });
});

test('a baseline that misses a round is refused', () => {
  const row = { scenario: 'B1', what: 'x', unit: '/s', ours: [1, 2], baseline: { name: 'bare', values: [1] } };
  expect(() => judge(row)).toThrow('beside it');
});
