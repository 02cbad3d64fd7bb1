import type { CustomSeriesRenderItem } from 'echarts';
import { showNumber } from '../table.ts';
import type { Spread } from '../verdict.ts';
import type { Chart } from './render.ts';
import { COLOURS, FONT } from './theme.ts';

export interface BarItem {
  label: string;
  kind: 'ours' | 'baseline' | 'missed';
  spread: Spread;
  /** Written behind it. */
  note: string;
  /** Where a red line marks what it is held against. */
  bar?: number;
}

export interface BarChart {
  title: string;
  subtitle: string;
  axis: string;
  /** For values that lie orders of magnitude apart. */
  isLog: boolean;
  items: readonly BarItem[];
}

const ROW = 30;
const TOP = 94;
const BOTTOM = 58;
const LEFT = 330;
const ROOM_FOR_NOTES = 130;

/** One bar for each item, from top to bottom, with a thin line from the least to the most that was measured. */
export function horizontalBars({ title, subtitle, axis, isLog, items }: BarChart): Chart {
  const values = items.flatMap(({ spread, bar }) => [spread.least, spread.most, bar ?? spread.median]);
  return {
    title,
    subtitle,
    height: TOP + BOTTOM + ROW * items.length,
    option: {
      grid: { left: LEFT, right: ROOM_FOR_NOTES, top: TOP, bottom: BOTTOM, containLabel: false },
      xAxis: {
        type: isLog ? 'log' : 'value',
        name: axis,
        nameLocation: 'middle',
        nameGap: 32,
        nameTextStyle: { fontSize: 12, color: COLOURS.faint },
        ...(isLog ? { min: powerOfTenBelow(Math.min(...values)) } : { min: 0, max: roundUp(Math.max(...values)) }),
        axisLabel: { color: COLOURS.faint, formatter: showNumber, hideOverlap: true },
        splitLine: { lineStyle: { color: COLOURS.grid } },
      },
      yAxis: {
        type: 'category',
        inverse: true,
        data: items.map(({ label }) => label),
        axisLabel: { color: COLOURS.text, fontSize: 12, width: LEFT - 24, overflow: 'truncate' },
        axisTick: { show: false },
        axisLine: { lineStyle: { color: COLOURS.border } },
      },
      series: [
        {
          type: 'bar',
          barWidth: 14,
          data: items.map(({ spread, kind }) => ({ value: spread.median, itemStyle: { color: COLOURS[kind] } })),
        },
        { type: 'custom', z: 3, data: items.map((_, index) => index), renderItem: drawAround(items) },
      ],
    },
  };
}

/** The spread, the bar and the note of one item. */
function drawAround(items: readonly BarItem[]): CustomSeriesRenderItem {
  return ({ dataIndex }, api) => {
    const { spread, bar, note } = items[dataIndex]!;
    const at = (value: number) => api.coord([value, dataIndex]) as [x: number, y: number];
    const [least, y] = at(spread.least);
    const [most] = at(spread.most);
    const limit = bar === undefined ? undefined : at(bar)[0];
    const noteStyle = { x: Math.max(most, limit ?? 0) + 8, y, text: note, fill: COLOURS.text };
    const line = (x1: number, y1: number, x2: number, y2: number, stroke: string, lineWidth: number) => ({
      type: 'line' as const,
      shape: { x1, y1, x2, y2 },
      style: { stroke, lineWidth },
    });
    return {
      type: 'group',
      children: [
        ...(most > least ? [line(least, y, most, y, COLOURS.text, 1.5)] : []),
        ...(limit === undefined ? [] : [line(limit, y - 11, limit, y + 11, COLOURS.bar, 2.5)]),
        { type: 'text', style: { ...noteStyle, fontFamily: FONT, fontSize: 12, verticalAlign: 'middle' } },
      ],
    };
  };
}

/** To half a power of ten: an axis ends at a round number. */
export function roundUp(value: number): number {
  const step = 10 ** Math.floor(Math.log10(value)) / 2;
  return Math.ceil(value / step) * step;
}

/** Below even where the value is a power of ten itself: a bar of no length cannot be seen. */
export function powerOfTenBelow(value: number): number {
  return 10 ** Math.floor(Math.log10(value) - 1e-9);
}
