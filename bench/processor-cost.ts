import { startProcessorClock } from './process-usage.ts';
import type { Row } from './scenario.ts';

/** What one request, or one fill, costs each of some groups of processes. */
export interface ProcessorCost<Names extends string = string> {
  /** Call it when the work begins, and what it returns with how much was done when it is over. */
  begin: () => (done: number) => void;
  /** µs of processor time for each thing done, in the order of the rounds. */
  micros: Record<Names, number[]>;
}

/** The processes of a group, and their children, count together. */
export function createProcessorCost<Names extends string>(
  groups: Record<Names, readonly number[]>,
): ProcessorCost<Names> {
  const names = Object.keys(groups) as Names[];
  const micros = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Names, number[]>;
  return {
    micros,
    begin() {
      const clocks = names.map((name) => ({ name, used: startProcessorClock(groups[name]) }));
      return (done) => {
        for (const { name, used } of clocks) micros[name].push((used() / done) * 1e6);
      };
    },
  };
}

/** One row for each group; none has a bar. */
export function costRows(scenario: string, what: string, { micros }: ProcessorCost): Row[] {
  return Object.entries(micros).map(([name, ours]) => ({ scenario, what: `${what}: ${name}`, unit: 'µs', ours }));
}

/** All groups together, round by round. */
export function wholeCost({ micros }: ProcessorCost): number[] {
  const [first = [], ...others] = Object.values(micros);
  return first.map((value, round) => others.reduce((sum, values) => sum + values[round]!, value));
}
