import type { Results } from '../results.ts';
import type { Bar } from '../scenario.ts';
import { showBar, showNumber } from '../table.ts';
import { type BarItem, horizontalBars } from './horizontal-bars.ts';
import type { Chart } from './render.ts';

/** Every row against its bar: 1 is just reached, 2 is twice as good. */
export function barsChart({ rows }: Pick<Results, 'rows'>): Chart | undefined {
  const items = rows.flatMap(({ scenario, what, unit, bar, verdict }): BarItem[] => {
    const { ratio, ours, met } = verdict;
    const measured = ratio ?? ours;
    // Nothing is a multiple of none.
    if (!bar || measured.least <= 0 || ('atMost' in bar && bar.atMost === 0)) return [];
    const [a, b] = [timesTheBar(measured.least, bar), timesTheBar(measured.most, bar)];
    return [
      {
        label: `${scenario}  ${what}`,
        kind: met ? 'ours' : 'missed',
        spread: { median: timesTheBar(measured.median, bar), least: Math.min(a, b), most: Math.max(a, b) },
        note: `${showNumber(measured.median)} ${ratio ? '×' : unit} (${showBar(bar)})`,
        bar: 1,
      },
    ];
  });
  if (items.length === 0) return undefined;
  return horizontalBars({
    title: 'How far from the bar',
    subtitle: 'Right of the red line: better than the bar. Thin line: least to most of the rounds. Orange: missed.',
    axis: 'times as good as the bar asks',
    isLog: true,
    items,
  });
}

export function timesTheBar(value: number, bar: Bar): number {
  return 'atLeast' in bar ? value / bar.atLeast : bar.atMost / value;
}
