import { expect, test } from 'vitest';
import type { Comparison, Figure, Row } from './comparison.ts';
import { toMarkdown } from './table.ts';

function row(peer: string, metric: Figure, values: number[]): Row {
  const [lowest, median, highest] = values.toSorted((a, b) => a - b) as [number, number, number];
  const unit = metric.endsWith('50') ? 'ms' : 'jobs/s';
  const about = { version: '1.0.0', server: 'S 1', does: `what ${peer} does`, settings: `how ${metric} is set` };
  return { peer, metric, unit, values, lowest, median, highest, ...about };
}

const comparison: Comparison = {
  startedAt: '2026-11-21T10:00:00.000Z',
  machine: '2 × a processor',
  node: 'v26.10.0',
  quick: false,
  servers: [],
  recovery: [{ peer: 'BullMQ', worst: '60 s', setting: 'lockDuration', source: 'a document' }],
  skipped: [],
  rows: [
    row('ours: inTransaction', 'drain', [63_000, 66_000, 60_000]),
    row('ours: plain function', 'one-process p50', [3, 4, 5]),
    row('graphile-worker', 'drain', [60_000, 60_000, 61_000]),
    row('BullMQ', 'one-process p50', [4.5, 3.5, 4.5]),
  ],
};

const cellsOf = (text: string) =>
  text.split('\n').map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

test('the table has a line for each way of each queue, which says what it does for a job', () => {
  const lines = cellsOf(toMarkdown(comparison));
  expect(lines).toContainEqual([
    'ours: inTransaction 1.0.0 on S 1',
    'what ours: inTransaction does',
    '63,000 (60,000–66,000)',
    '–',
    '–',
  ]);
  expect(lines).toContainEqual(['BullMQ 1.0.0 on S 1', 'what BullMQ does', '–', '4.5 (3.5–4.5)', '60 s']);
});

test('what this queue must reach is held against the same round of each queue that was measured', () => {
  const lines = cellsOf(toMarkdown(comparison)).filter(([name]) => /^B\d+$/.test(name ?? ''));
  expect(lines.map(([name, , , baseline, ratio, bar, met]) => [name, baseline, ratio, bar, met])).toEqual([
    ['B14', '60,000 (60,000–61,000) graphile-worker', '1.05 (0.984–1.1) ×', '≥ 1.05', 'yes'],
    ['B19', '', '', '≤ 4', 'yes'],
    ['B19', '4.5 (3.5–4.5) BullMQ', '1.11 (0.667–1.14) ×', '≤ 1', 'NO'],
  ]);
});
