import type { Stage } from './stage.ts';

/** What a measurement must reach: the ratio to the baseline where there is one, else the value itself. */
export type Bar = { atLeast: number } | { atMost: number };

/** One line of the table. Values are in the order of the rounds, ours beside the baseline's of the same round. */
export interface Row {
  /** `B1` … `B19`. */
  scenario: string;
  what: string;
  unit: string;
  ours: readonly number[];
  baseline?: { name: string; values: readonly number[] };
  /** Absent where a value is only worth knowing. */
  bar?: Bar;
}

/** What a chart draws over time. */
export interface Series {
  name: string;
  unit: string;
  /** Seconds since its start, and the value. */
  points: readonly (readonly [seconds: number, value: number])[];
}

export interface Outcome {
  rows: Row[];
  series?: Series[];
}

export interface Scenario {
  /** As in the table; a scenario whose one run is looked at in two ways has two. */
  names: readonly string[];
  what: string;
  /** About how long it takes in a full run; only for the progress shown. */
  seconds: number;
  run: (stage: Stage) => Promise<Outcome>;
}
