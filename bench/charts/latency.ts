import type { Results } from '../results.ts';
import { showNumber } from '../table.ts';
import { type BarItem, horizontalBars } from './horizontal-bars.ts';
import type { Chart } from './render.ts';

const SCENARIOS = new Set(['B8', 'B9']);

/** How long callers of create-sync wait for their word. */
export function latencyChart({ rows }: Pick<Results, 'rows'>): Chart | undefined {
  const items = rows
    .filter(({ scenario, unit }) => SCENARIOS.has(scenario) && unit === 'ms')
    .map(
      ({ what, bar, verdict }): BarItem => ({
        label: what,
        kind: verdict.met === false ? 'missed' : 'ours',
        spread: verdict.ours,
        note: `${showNumber(verdict.ours.median)} ms`,
        ...(bar && 'atMost' in bar ? { bar: bar.atMost } : {}),
      }),
    );
  if (items.length === 0) return undefined;
  return horizontalBars({
    title: 'create-sync: from the request to the word',
    subtitle: 'Red line: the bar. Thin line: least to most of the rounds. Orange: missed.',
    axis: 'milliseconds',
    isLog: false,
    items,
  });
}
