import type { Scenario } from './scenario.ts';

export interface Progress {
  /** Announces a scenario; what it returns tells the steps of it. */
  begin: (scenario: Scenario) => (line: string) => void;
}

/** One line for each step, with the time since the start and, at each scenario, about how long it and the rest take. */
export function createProgress(
  scenarios: readonly Scenario[],
  quick: boolean,
  write: (line: string) => void,
): Progress {
  const startedAt = performance.now();
  const clock = () => minutes((performance.now() - startedAt) / 1_000);
  let left = scenarios.reduce((sum, { seconds }) => sum + seconds, 0);
  return {
    begin({ names, what, seconds }) {
      const name = names.join(', ');
      write(`${clock()}  ${name}: ${what}${quick ? '' : ` (about ${seconds} s; ${minutes(left)} to the end)`}`);
      left -= seconds;
      return (line) => write(`${clock()}  ${name}:   ${line}`);
    },
  };
}

/** `4:05` for 245 seconds. */
export function minutes(seconds: number): string {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}
