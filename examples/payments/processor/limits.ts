import { setTimeout as sleep } from 'node:timers/promises';

/** So many at once, and so many more wait for their turn, in order; beyond, the work is not done, and nothing is returned. */
export function createConcurrencyLimit({ atOnce, queued }: { atOnce: number; queued: number }) {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async <T>(work: () => Promise<T>): Promise<T | undefined> => {
    if (running < atOnce) running++;
    else if (waiting.length === queued) return undefined;
    else await new Promise<void>((resolve) => waiting.push(resolve)); // who ends leaves its place to the next
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  };
}

/** One call a window, for all callers together; so many more are held, each until a later window. Resolves to false beyond. */
export function createWindowLimit({ windowMs, queued }: { windowMs: number; queued: number }) {
  let nextAt = -Infinity;
  let held = 0;
  return async (): Promise<boolean> => {
    const now = performance.now();
    const waitMs = nextAt - now;
    if (waitMs > 0 && held === queued) return false;
    nextAt = Math.max(now, nextAt) + windowMs;
    if (waitMs <= 0) return true;
    held++;
    await sleep(waitMs);
    held--;
    return true;
  };
}
