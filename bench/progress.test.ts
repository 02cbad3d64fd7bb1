import { expect, test } from 'vitest';
import { createProgress, minutes } from './progress.ts';

test('each scenario says how long it and the rest take', () => {
  const lines: string[] = [];
  const scenarios = [
    { names: ['B1'], what: 'creates', seconds: 20, run: () => Promise.reject(new Error('not run')) },
    { names: ['B9', 'B12'], what: 'latency', seconds: 70, run: () => Promise.reject(new Error('not run')) },
  ];
  const { begin } = createProgress(scenarios, false, (line) => lines.push(line));
  begin(scenarios[0]!)('round 1 of 3');
  begin(scenarios[1]!);
  expect(lines).toEqual([
    '0:00  B1: creates (about 20 s; 1:30 to the end)',
    '0:00  B1:   round 1 of 3',
    '0:00  B9, B12: latency (about 70 s; 1:10 to the end)',
  ]);
});

test('seconds are shown as minutes', () => {
  expect([0, 9.9, 65, 600].map(minutes)).toEqual(['0:00', '0:09', '1:05', '10:00']);
});
