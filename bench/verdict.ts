import { quantile } from './quantile.ts';
import type { Bar, Row } from './scenario.ts';

export interface Spread {
  median: number;
  least: number;
  most: number;
}

export interface Verdict {
  ours: Spread;
  baseline?: Spread;
  /** Of the pairs that ran one after the other, so that what disturbs the machine for a while disturbs both. */
  ratio?: Spread;
  /** Undefined without a bar. */
  met?: boolean;
}

/** What a row's figures come to. The median decides; the spread says how much to trust it. */
export function judge({ ours, baseline, bar }: Row): Verdict {
  const verdict: Verdict = { ours: spread(ours) };
  if (baseline) {
    verdict.baseline = spread(baseline.values);
    verdict.ratio = spread(ratios(ours, baseline.values));
  }
  if (bar) verdict.met = meets((verdict.ratio ?? verdict.ours).median, bar);
  return verdict;
}

function ratios(ours: readonly number[], baseline: readonly number[]): number[] {
  if (ours.length !== baseline.length) throw new Error('each value of ours needs one of the baseline beside it');
  return ours.map((value, round) => value / baseline[round]!);
}

function meets(value: number, bar: Bar): boolean {
  return 'atLeast' in bar ? value >= bar.atLeast : value <= bar.atMost;
}

function spread(values: readonly number[]): Spread {
  return { median: median(values), least: Math.min(...values), most: Math.max(...values) };
}

/** Of an even number of values, the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new Error('there is no median of nothing');
  return quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  );
}
