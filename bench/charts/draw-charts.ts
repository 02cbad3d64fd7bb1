import type { Results } from '../results.ts';
import { barsChart } from './bars.ts';
import { latencyChart } from './latency.ts';
import { type Chart, renderChart } from './render.ts';
import { steadyChart } from './steady.ts';
import { throughputChart } from './throughput.ts';

/** An SVG for each chart for which there are figures; `name` goes into the file's name. */
export function drawCharts(results: Results): { name: string; svg: string }[] {
  const charts: Record<string, Chart | undefined> = {
    bars: barsChart(results),
    creates: throughputChart(results, {
      title: 'Creating events over HTTP, each committed before its answer',
      scenarios: ['B1', 'B2', 'B3', 'B4'],
      unit: 'events per second',
      isLog: true,
    }),
    drain: throughputChart(results, {
      title: 'Working off a backlog: claim, fetch a word, fill',
      scenarios: ['B5', 'B6'],
      unit: 'fills per second',
      isLog: false,
    }),
    latency: latencyChart(results),
    steady: steadyChart(results),
  };
  return Object.entries(charts).flatMap(([name, chart]) =>
    chart ? [{ name, svg: renderChart(chart, originOf(results)) }] : [],
  );
}

function originOf({ server, node, machine, startedAt, quick }: Results): string {
  const shortened = quick ? ' Shortened: the figures mean little.' : '';
  return `${server}, Node ${node}, ${machine.cores} cores, ${startedAt.slice(0, 10)}.${shortened}`;
}
