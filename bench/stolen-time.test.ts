import { expect, test } from 'vitest';
import { startStealClock } from './stolen-time.ts';

//                   user nice system idle iowait irq softirq steal guest guest_nice
const BEFORE = 'cpu  1000 0 500 8000 0 0 0 500 700 0\ncpu0 9 9 9 9';
const LATER = 'cpu  1050 0 520 8020 0 0 0 510 740 0\ncpu0 9 9 9 9';

test('the stolen share is that of all time since the start, guests not counted twice', () => {
  let stat = BEFORE;
  const stolenPercent = startStealClock(() => stat);
  expect(stolenPercent()).toBe(0);
  stat = LATER;
  expect(stolenPercent()).toBe(10);
});
