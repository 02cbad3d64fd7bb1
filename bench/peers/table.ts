import type { Comparison, Row } from './comparison.ts';
import { format } from './format.ts';

const METRICS: [Row['metric'], string][] = [
  ['add', 'single adds, 64 callers, jobs/s'],
  ['bulk', 'bulk adds, jobs/s'],
  ['drain', 'drain of no-op work, one process, jobs/s'],
  ['latency p50', 'add to done at 20/s, p50, ms'],
  ['latency p95', 'add to done at 20/s, p95, ms'],
];

/** The comparison as Markdown: medians with the lowest and the highest round, and below them what was set. */
export function toMarkdown({ rows, recovery, servers, machine, node, skipped }: Comparison): string {
  const peers = [...new Map(rows.map((row) => [row.peer, row])).values()];
  const cells = METRICS.map(([metric, title]) => [
    title,
    ...peers.map(({ peer }) => cell(rows.find((row) => row.peer === peer && row.metric === metric))),
  ]).filter(([, ...values]) => values.some((value) => value !== '–'));
  const lost = [
    'work of a killed worker, at worst',
    ...peers.map(({ peer }) => recovery.find((row) => row.peer === peer)?.worst ?? '–'),
  ];
  const head = ['', ...peers.map(({ peer, version, server }) => `${peer} ${version} on ${server}`)];
  const settings = rows.filter(({ metric }) => metric !== 'latency p95');
  return [
    table([head, ...cells, lost]),
    '',
    table([
      ['peer', 'metric', 'settings'],
      ...settings.map((row) => [row.peer, row.metric.replace(' p50', ''), row.settings]),
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
