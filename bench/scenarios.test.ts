import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { exampleScenarios, scenarios } from './scenarios.ts';

/** Measured beside other queues: peers/bars.ts. */
const PEERS = ['B14', 'B19'];

test('every scenario is there once, and README.md has a line for it', () => {
  const names = [...scenarios.flatMap((scenario) => scenario.names), ...PEERS];
  const all = Array.from({ length: 19 }, (_, index) => `B${index + 1}`);
  expect(names.toSorted((a, b) => all.indexOf(a) - all.indexOf(b))).toEqual(all);
  const readme = readFileSync('bench/README.md', 'utf8');
  const shown = [...all, ...exampleScenarios.flatMap(({ names }) => names)];
  expect(shown.filter((name) => !readme.includes(`| ${name} |`))).toEqual([]);
});

test('a full run is estimated at less than twelve minutes', () => {
  const seconds = scenarios.reduce((sum, scenario) => sum + scenario.seconds, 0);
  expect(seconds).toBeGreaterThan(360); // B13 and B11 alone
  expect(seconds).toBeLessThan(720);
});
