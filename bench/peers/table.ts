import { toTable } from '../table.ts';
import { rowsWithBars } from './bars.ts';
import type { Comparison, Row } from './comparison.ts';
import { format } from './format.ts';

const FIGURES: [Row['metric'], string][] = [
  ['add', 'single adds, 64 callers, jobs/s'],
  ['bulk', 'bulk adds, jobs/s'],
  ['drain', 'drain of no-op work, one process, jobs/s'],
  ['two-processes p50', 'add to done at 20/s, two processes, p50, ms'],
  ['two-processes p95', 'p95'],
  ['one-process p50', 'in one process, p50, ms'],
  ['one-process p95', 'p95'],
];

/**
 * The comparison as Markdown: medians with the lowest and the highest round, what this queue must reach, and what was set.
 */
export function toMarkdown({ rows, recovery, servers, machine, node, skipped }: Comparison): string {
  const peers = [...new Map(rows.map((row) => [row.peer, row])).values()];
  const figures = FIGURES.filter(([metric]) => rows.some((row) => row.metric === metric));
  const lines = peers.map(({ peer, version, server, does }) => [
    `${peer} ${version} on ${server}`,
    does,
    ...figures.map(([metric]) => cell(rows.find((row) => row.peer === peer && row.metric === metric))),
    recovery.find((row) => row.peer === peer)?.worst ?? '–',
  ]);
  const head = ['', 'for each job', ...figures.map(([, title]) => title), 'work of a killed worker, at worst'];
  const settings = rows.filter(({ metric }) => !/p95|^one-process/.test(metric));
  const bars = rowsWithBars(rows);
  return [
    table([head, ...lines]),
    '',
    ...(bars.length > 0 ? [toTable(bars), ''] : []),
    table([
      ['peer', 'metric', 'settings'],
      ...settings.map((row) => [row.peer, row.metric.replace('two-processes p50', 'latency'), row.settings]),
      ...recovery.map(({ peer, setting, source }) => [peer, 'recovery', `${setting} (${source})`]),
    ]),
    '',
    ...servers.map(({ name, version, settings }) => `- ${name} ${version}: ${settings}`),
    `- ${machine}, Node ${node}; medians of the rounds, in brackets the lowest and the highest`,
    ...skipped.map((line) => `- ${line}`),
    '',
  ].join('\n');
}

function cell(row: Row | undefined): string {
  if (!row) return '–';
  return `${format(row.median)} (${format(row.lowest)}–${format(row.highest)})`;
}

function table([head, ...body]: string[][]): string {
  const widths = head!.map((_, column) => Math.max(...[head!, ...body].map((row) => row[column]!.length)));
  const line = (row: string[]) => `| ${row.map((text, column) => text.padEnd(widths[column]!)).join(' | ')} |`;
  return [line(head!), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...body.map(line)].join('\n');
}
