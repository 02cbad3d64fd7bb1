import type { BarSeriesOption, EChartsOption } from 'echarts';
import { showNumber } from '../table.ts';
import { type Chart, renderChart } from './render.ts';
import { COLOURS } from './theme.ts';

/** What bench/results/peers.json holds, as far as the chart shows it. */
export interface PeerFigures {
  startedAt: string;
  machine: string;
  node: string;
  rows: PeerFigure[];
}

export interface PeerFigure {
  peer: string;
  metric: string;
  median: number;
}

const PANELS = [
  { metric: 'add', title: 'single adds a second, 64 callers' },
  { metric: 'bulk', title: 'bulk adds a second' },
  { metric: 'drain', title: 'no-op jobs done a second, one process' },
  { metric: 'two-processes p50', title: 'ms from add to done, median; less is better' },
  { metric: 'one-process p50', title: 'the same, added and done by one process' },
];
const COLUMNS = 2;
const LEFT = 150;
const PANEL_WIDTH = 190;
const COLUMN_WIDTH = 424;
const TOP = 116;
const BAR_HEIGHT = 22;
const GAP = 40;

/** The README's chart as an SVG: this queue beside the others, a panel for each metric. */
export function drawPeersChart(figures: PeerFigures): string {
  const { machine, node, startedAt } = figures;
  return renderChart(peersChart(figures), `${machine}, Node ${node}, ${startedAt.slice(0, 10)}.`);
}

function peersChart({ rows }: PeerFigures): Chart {
  const panels = PANELS.map(({ metric, title }) => ({
    title,
    bars: rows.filter((row) => row.metric === metric).map(({ peer, median }) => ({ peer, median })),
  })).filter(({ bars }) => bars.length > 0);
  const rowHeight = Math.max(...panels.map(({ bars }) => bars.length)) * BAR_HEIGHT + GAP;
  const place = (n: number) => ({ row: Math.floor(n / COLUMNS), column: n % COLUMNS });
  const option: EChartsOption = {
    grid: panels.map(({ bars }, n) => ({
      left: LEFT + place(n).column * COLUMN_WIDTH,
      top: TOP + place(n).row * rowHeight,
      width: PANEL_WIDTH,
      height: bars.length * BAR_HEIGHT,
    })),
    xAxis: panels.map((_, n) => ({ type: 'value' as const, gridIndex: n, show: false, min: 0 })),
    yAxis: panels.map(({ title, bars }, n) => ({
      type: 'category' as const,
      gridIndex: n,
      inverse: true,
      data: bars.map(({ peer }) => peer),
      name: title,
      nameLocation: 'start' as const,
      nameGap: 10,
      nameTextStyle: { align: 'left' as const, padding: [0, 0, 0, 16 - LEFT], fontWeight: 600, color: COLOURS.text },
      axisLabel: { color: COLOURS.text, fontSize: 12 },
      axisTick: { show: false },
      axisLine: { lineStyle: { color: COLOURS.border } },
    })),
    series: panels.map(({ bars }, n) => barsOf(bars, n)),
  };
  return {
    title: 'The same work on five queues, each on a durable server of its own',
    subtitle: 'Blue: this queue. Medians of three rounds; Sidequest polls every 5 ms. Settings: docs/performance.md.',
    height: TOP + Math.ceil(panels.length / COLUMNS) * rowHeight - GAP / 2,
    option,
  };
}

function barsOf(bars: readonly { peer: string; median: number }[], panel: number): BarSeriesOption {
  return {
    type: 'bar',
    xAxisIndex: panel,
    yAxisIndex: panel,
    barWidth: 13,
    label: { show: true, position: 'right', color: COLOURS.text, fontSize: 12 },
    data: bars.map(({ peer, median }) => ({
      value: median,
      label: { formatter: showNumber(median) },
      itemStyle: { color: peer.startsWith('ours') ? COLOURS.ours : COLOURS.baseline },
    })),
  };
}
