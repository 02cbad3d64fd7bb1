/** Wakes whoever waits. What rings while nobody waits is heard by the next who does. */
export interface Bell {
  ring: () => void;
  /** Resolves at the next ring, after `ms`, or when `signal` is aborted. */
  wait: (ms: number, signal: AbortSignal) => Promise<void>;
}

// Node fires a longer timer at once.
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export function createBell(): Bell {
  let hasRung = false;
  let wake = () => {};
  return {
    ring() {
      hasRung = true;
      wake();
    },
    async wait(ms, signal) {
      if (!hasRung && !signal.aborted) {
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        const timer = setTimeout(resolve, Math.min(ms, LONGEST_TIMER_MS));
        const onAbort = () => resolve();
        signal.addEventListener('abort', onAbort);
        await promise;
        signal.removeEventListener('abort', onAbort);
        clearTimeout(timer);
      }
      hasRung = false;
    },
  };
}
