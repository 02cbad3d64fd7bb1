import { expect, test } from 'vitest';
import type { Results } from '../results.ts';
import type { Row } from '../scenario.ts';
import { judge } from '../verdict.ts';
import { timesTheBar } from './bars.ts';
import { drawCharts } from './draw-charts.ts';
import { powerOfTenBelow, roundUp } from './horizontal-bars.ts';

const rows: Row[] = [
  {
    scenario: 'B1',
    what: 'create-async',
    unit: 'requests/s',
    ours: [30_000, 31_000, 29_000],
    baseline: { name: 'bare "Hono" & co', values: [60_000, 61_000, 59_000] },
    bar: { atLeast: 0.45 },
  },
  { scenario: 'B6', what: 'deadlocks', unit: '', ours: [0], bar: { atMost: 0 } },
  { scenario: 'B8', what: 'p95', unit: 'ms', ours: [250, 251, 252], bar: { atMost: 200 } },
];

const results: Results = {
  startedAt: '2026-11-21T10:00:00.000Z',
  seconds: 500,
  quick: false,
  machine: { cpu: 'a processor', cores: 2, memoryGb: 24, kernel: '6.1' },
  node: 'v26.10.0',
  server: 'mysql-9.7.4',
  settings: {},
  stolenPercent: {},
  rows: rows.map((row) => ({ ...row, verdict: judge(row) })),
  series: [
    {
      name: 'backlog',
      unit: 'events',
      points: [
        [0, 5],
        [10, 7],
      ],
    },
  ],
  failures: {},
};

const textsOf = (svg: string) => [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text]) => text);

test('there is a chart for whatever was measured, and none for what was not', () => {
  expect(drawCharts(results).map(({ name }) => name)).toEqual(['bars', 'creates', 'latency', 'steady']);
  expect(drawCharts({ ...results, rows: [], series: [] })).toEqual([]);
});

test('a chart says what it shows: figures, units, bars, and where they come from', () => {
  const [bars, creates, latency, steady] = drawCharts(results).map(({ svg }) => textsOf(svg));
  expect(bars).toEqual(expect.arrayContaining(['B1  create-async', '0.5 × (≥ 0.45)', '251 ms (≤ 200)']));
  expect(bars!.join()).not.toContain('deadlocks');
  expect(creates).toEqual(expect.arrayContaining(['30,000  0.5 ×', '60,000', 'events per second, logarithmic']));
  expect(latency).toEqual(expect.arrayContaining(['p95', '251 ms', 'milliseconds']));
  expect(steady).toEqual(expect.arrayContaining(['backlog, events', 'seconds, after warming up']));
  for (const texts of [bars, creates, latency, steady]) {
    expect(texts).toContain('mysql-9.7.4, Node v26.10.0, 2 cores, 2026-11-21.');
  }
});

test('a chart is well-formed: no attribute holds a quotation mark, no text a bare ampersand', () => {
  for (const { svg } of drawCharts(results)) {
    for (const [tag] of svg.matchAll(/<[a-z][^>]*>/g)) expect(tag).toMatch(/^<[a-zA-Z]+(\s+[\w:-]+="[^"]*")*\s*\/?>$/);
    expect(svg).not.toMatch(/&(?!\w+;|#\d+;)/);
  }
});

test('twice as good as the bar is 2, whichever way the bar points', () => {
  expect(timesTheBar(0.9, { atLeast: 0.45 })).toBe(2);
  expect(timesTheBar(50, { atMost: 100 })).toBe(2);
});

test('axes begin and end at round numbers', () => {
  expect([248, 1_000, 1_001].map(powerOfTenBelow)).toEqual([100, 100, 1_000]);
  expect([248, 17_437, 20_000].map(roundUp)).toEqual([250, 20_000, 20_000]);
});
