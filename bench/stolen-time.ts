import { readFileSync } from 'node:fs';

/**
 * Percent of this machine's processor time that its host gave to others (steal): call it once to begin, and what it
 * returns to end. 0 where nobody counts it. Linux only.
 */
export function startStealClock(readStat = () => readFileSync('/proc/stat', 'utf8')): () => number {
  const atStart = processorTime(readStat());
  return () => {
    const now = processorTime(readStat());
    const all = now.all - atStart.all;
    return all > 0 ? ((now.stolen - atStart.stolen) / all) * 100 : 0;
  };
}

/** In the kernel's ticks, all cores together, since it started. */
function processorTime(stat: string): { all: number; stolen: number } {
  // user nice system idle iowait irq softirq steal; guests, behind them, are in user and nice already.
  const ticks = stat.split('\n', 1)[0]!.split(/\s+/).slice(1, 9).map(Number);
  return { all: ticks.reduce((sum, value) => sum + value, 0), stolen: ticks[7] ?? 0 };
}
