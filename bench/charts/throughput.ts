import type { Results } from '../results.ts';
import { showNumber } from '../table.ts';
import { type BarItem, horizontalBars } from './horizontal-bars.ts';
import type { Chart } from './render.ts';

export interface ThroughputChart {
  title: string;
  /** Names of the scenarios whose rows it shows. */
  scenarios: readonly string[];
  /** Rates per second; other rows of the scenarios are left out. */
  unit: string;
  isLog: boolean;
}

/** Rates beside their baselines, each baseline once. */
export function throughputChart(
  { rows }: Pick<Results, 'rows'>,
  { title, scenarios, unit, isLog }: ThroughputChart,
): Chart | undefined {
  const items: BarItem[] = [];
  const add = (item: BarItem) => {
    if (!items.some(({ label }) => label === item.label)) items.push(item);
  };
  for (const { scenario, what, baseline, verdict, ...row } of rows) {
    if (!scenarios.includes(scenario) || !row.unit.endsWith('/s')) continue;
    if (baseline && verdict.baseline) {
      const spread = verdict.baseline;
      add({ label: baseline.name, kind: 'baseline', spread, note: showNumber(spread.median) });
    }
    const spread = verdict.ours;
    const factor = verdict.ratio ? `  ${showNumber(verdict.ratio.median)} ×` : '';
    add({ label: what, kind: 'ours', spread, note: `${showNumber(spread.median)}${factor}` });
  }
  if (items.length === 0) return undefined;
  return horizontalBars({
    title,
    subtitle: 'Blue: this queue. Grey: what it is compared with. Thin line: least to most of the rounds.',
    axis: `${unit}${isLog ? ', logarithmic' : ''}`,
    isLog,
    items,
  });
}
