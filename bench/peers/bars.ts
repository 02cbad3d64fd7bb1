import type { Bar, Row as BenchRow } from '../scenario.ts';
import type { Figure, Row } from './comparison.ts';

interface PeerBar {
  scenario: string;
  ours: string;
  metric: Figure;
  what: string;
  /** Without one, the bar is about the figure itself. */
  peer?: string;
  bar: Bar;
}

const DRAIN = {
  scenario: 'B14',
  ours: 'ours: inTransaction',
  metric: 'drain',
  what: 'drain of no-op work by inTransaction',
} as const;
const LATENCY = {
  scenario: 'B19',
  ours: 'ours: plain function',
  metric: 'one-process p50',
  what: 'add to done in one process, p50',
} as const;

const BARS: readonly PeerBar[] = [
  { ...DRAIN, peer: 'graphile-worker', bar: { atLeast: 1.05 } },
  { ...DRAIN, peer: 'pg-boss', bar: { atLeast: 1 } },
  { ...LATENCY, bar: { atMost: 4 } },
  { ...LATENCY, peer: 'graphile-worker', bar: { atMost: 1 } },
  { ...LATENCY, peer: 'BullMQ', bar: { atMost: 1 } },
];

/** What this queue must reach beside others, as far as both were measured. */
export function rowsWithBars(rows: readonly Row[]): BenchRow[] {
  return BARS.flatMap(({ ours, metric, peer, ...bar }): BenchRow[] => {
    const find = (name: string) => rows.find((row) => row.peer === name && row.metric === metric);
    const mine = find(ours);
    const theirs = peer === undefined ? undefined : find(peer);
    if (!mine || (peer !== undefined && !theirs)) return [];
    const row = { ...bar, unit: mine.unit, ours: mine.values };
    return [theirs ? { ...row, baseline: { name: theirs.peer, values: theirs.values } } : row];
  });
}
