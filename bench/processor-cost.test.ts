import { expect, test } from 'vitest';
import { costRows, createProcessorCost, wholeCost } from './processor-cost.ts';

test('the processor time of each group is divided by what was done, round by round', () => {
  const cost = createProcessorCost({ nobody: [], me: [process.pid] });
  for (const done of [10, 100]) {
    const end = cost.begin();
    const before = process.cpuUsage();
    while (process.cpuUsage(before).user + process.cpuUsage(before).system < 300_000);
    end(done);
  }
  cost.begin(); // a round that does not count
  expect(cost.micros.nobody).toEqual([0, 0]);
  // The kernel counts in steps of 10 ms, and between the two readings nothing else of this process is sure to rest.
  expect(cost.micros.me[0]).toBeGreaterThan(28_000);
  expect(cost.micros.me[1]! * 5).toBeLessThan(cost.micros.me[0]!);
  expect(wholeCost(cost)).toEqual(cost.micros.me);
  expect(costRows('B5', 'of a fill', cost)).toEqual([
    { scenario: 'B5', what: 'of a fill: nobody', unit: 'µs', ours: [0, 0] },
    { scenario: 'B5', what: 'of a fill: me', unit: 'µs', ours: cost.micros.me },
  ]);
});
