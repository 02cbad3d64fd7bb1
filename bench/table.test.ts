import { expect, test } from 'vitest';
import { showNumber, toTable } from './table.ts';

test('a table has a line for each row, with the spread, the bar and whether it is met', () => {
  const table = toTable([
    {
      scenario: 'B2',
      what: 'create-async',
      unit: 'events/s',
      ours: [30_000, 20_000, 28_000],
      baseline: { name: 'one by one', values: [1_000, 1_000, 1_000] },
      bar: { atLeast: 20 },
    },
    { scenario: 'B8', what: 'p50', unit: 'ms', ours: [107], bar: { atMost: 100 } },
    { scenario: 'B9', what: 'p50', unit: 'ms', ours: [55.5] },
  ]);
  const cells = table.split('\n').map((line) => line.split('|').map((cell) => cell.trim()));
  expect(new Set(cells.map((line) => line.length)).size).toBe(1);
  expect(cells.slice(2).map((line) => line.slice(1, -1))).toEqual([
    ['B2', 'create-async', '28,000 (20,000–30,000) events/s', '1,000 one by one', '28 (20–30) ×', '≥ 20', 'yes'],
    ['B8', 'p50', '107 ms', '', '', '≤ 100', 'NO'],
    ['B9', 'p50', '55.5 ms', '', '', '', ''],
  ]);
});

test.each([
  [0, '0'],
  [0.04567, '0.046'],
  [0.4567, '0.457'],
  [1.2345, '1.23'],
  [99.96, '100'],
  [123.4, '123'],
  [31_590.4, '31,590'],
])('%d is shown as %s', (value, shown) => {
  expect(showNumber(value)).toBe(shown);
});
