import type { Bar, Row } from './scenario.ts';
import { judge, type Spread } from './verdict.ts';

const HEAD = ['', 'what', 'ours', 'baseline', 'ratio', 'bar', 'met'];

/** The rows as a Markdown table, aligned so that it can be read in a terminal as well. */
export function toTable(rows: readonly Row[]): string {
  const lines = [HEAD, ...rows.map(toCells)];
  const widths = HEAD.map((_, column) => Math.max(3, ...lines.map((cells) => cells[column]!.length)));
  const print = (cells: readonly string[]) => `| ${cells.map((cell, n) => cell.padEnd(widths[n]!)).join(' | ')} |`;
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`;
  return [print(HEAD), rule, ...lines.slice(1).map(print)].join('\n');
}

function toCells(row: Row): string[] {
  const { ours, baseline, ratio, met } = judge(row);
  return [
    row.scenario,
    row.what,
    `${withSpread(ours)} ${row.unit}`,
    baseline && row.baseline ? `${withSpread(baseline)} ${row.baseline.name}` : '',
    ratio ? `${withSpread(ratio)} ×` : '',
    row.bar ? showBar(row.bar) : '',
    met === undefined ? '' : met ? 'yes' : 'NO',
  ];
}

export function showBar(bar: Bar): string {
  return 'atLeast' in bar ? `≥ ${showNumber(bar.atLeast)}` : `≤ ${showNumber(bar.atMost)}`;
}

function withSpread({ median, least, most }: Spread): string {
  const middle = showNumber(median);
  return least === most ? middle : `${middle} (${showNumber(least)}–${showNumber(most)})`;
}

/** Three figures are all that such measurements bear. */
export function showNumber(value: number): string {
  if (value === 0) return '0';
  const decimals = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toLocaleString('en-US', { maximumFractionDigits: Math.min(decimals, 3) });
}
