import { expect, test } from 'vitest';
import { proportionalMegabytes, residentMegabytes, startCpuClock } from './process-usage.ts';

test('the memory of a process is what Node says of itself, and its share of shared pages less than that', () => {
  const resident = residentMegabytes([process.pid]);
  expect(resident).toBeGreaterThanOrEqual(process.memoryUsage.rss() / 1e6 / 2);
  expect(resident).toBeLessThan((process.memoryUsage.rss() / 1e6) * 2);
  expect(proportionalMegabytes([process.pid])).toBeLessThanOrEqual(resident);
});

test('the share of a core is what Node counts for itself', () => {
  const share = startCpuClock(process.pid);
  const startedAt = performance.now();
  const before = process.cpuUsage();
  const usedMs = () => (process.cpuUsage(before).user + process.cpuUsage(before).system) / 1_000;
  // Until it has had so much of a processor, however many others want one. The kernel's figure is in steps of 10 ms.
  while (usedMs() < 500);
  const expected = (usedMs() / (performance.now() - startedAt)) * 100;
  const percent = share();
  expect(percent / expected).toBeGreaterThan(0.9);
  expect(percent / expected).toBeLessThan(1.1);
});
