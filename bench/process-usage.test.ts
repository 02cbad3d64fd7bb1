import { expect, test } from 'vitest';
import { proportionalMegabytes, residentMegabytes, startCpuClock } from './process-usage.ts';

test('the memory of a process is what Node says of itself, and its share of shared pages less than that', () => {
  const resident = residentMegabytes([process.pid]);
  expect(resident).toBeGreaterThanOrEqual(process.memoryUsage.rss() / 1e6 / 2);
  expect(resident).toBeLessThan((process.memoryUsage.rss() / 1e6) * 2);
  expect(proportionalMegabytes([process.pid])).toBeLessThanOrEqual(resident);
});

test('a process that is busy uses processor time, and one that waits does not', async () => {
  const busy = startCpuClock(process.pid);
  for (const until = performance.now() + 300; performance.now() < until; );
  const percent = busy();
  expect(percent).toBeGreaterThan(10);
  expect(percent).toBeLessThan(800);
});
