import type { EChartsOption } from 'echarts';
import type { Results } from '../results.ts';
import { showNumber } from '../table.ts';
import type { Chart } from './render.ts';
import { COLOURS } from './theme.ts';

const TOP = 112;
const PANEL = 92;
const GAP = 44;

/** What must not grow while creates and fills go on, one panel above the other over the same time. */
export function steadyChart({ series }: Pick<Results, 'series'>): Chart | undefined {
  if (series.length === 0) return undefined;
  const last = Math.max(...series.flatMap(({ points }) => points.map(([seconds]) => seconds)));
  const option: EChartsOption = {
    grid: series.map((_, n) => ({ left: 70, right: 28, top: TOP + n * (PANEL + GAP), height: PANEL })),
    xAxis: series.map((_, n) => ({
      type: 'value' as const,
      gridIndex: n,
      min: 0,
      max: Math.max(10, Math.round(last / 10) * 10),
      axisLabel: { show: n === series.length - 1, color: COLOURS.faint },
      splitLine: { lineStyle: { color: COLOURS.grid } },
      axisLine: { lineStyle: { color: COLOURS.border } },
      ...(n === series.length - 1
        ? {
            name: 'seconds, after warming up',
            nameLocation: 'middle' as const,
            nameGap: 30,
            nameTextStyle: { fontSize: 12, color: COLOURS.faint },
          }
        : {}),
    })),
    yAxis: series.map(({ name, unit }, n) => ({
      type: 'value' as const,
      gridIndex: n,
      min: 0,
      splitNumber: 3,
      name: `${name}, ${unit}`,
      nameTextStyle: { align: 'left' as const, padding: [0, 0, 0, -40], fontSize: 12, color: COLOURS.text },
      axisLabel: { color: COLOURS.faint, formatter: showNumber },
      splitLine: { lineStyle: { color: COLOURS.grid } },
    })),
    series: series.map(({ name, points }, n) => ({
      type: 'line' as const,
      name,
      xAxisIndex: n,
      yAxisIndex: n,
      showSymbol: false,
      lineStyle: { color: COLOURS.ours, width: 1.5 },
      areaStyle: { color: COLOURS.ours, opacity: 0.1 },
      data: points.map(([seconds, value]) => [seconds, value]),
    })),
  };
  return {
    title: 'Steady state: creates and fills at once, at 70 % of capacity',
    subtitle: 'None of these may grow with time.',
    height: TOP + series.length * (PANEL + GAP) + 12,
    option,
  };
}
