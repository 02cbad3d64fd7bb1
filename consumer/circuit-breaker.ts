import { SourceDownError } from '../handlers/handler.ts';

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 2_000;

export interface CircuitBreaker {
  /** The source failed. True if it was believed to work until now. */
  begin: (error: unknown) => boolean;
  /** The source works. True if it was believed not to. */
  end: () => boolean;
  /** Ms until the source may be tried again; 0: now; undefined: there is no outage. */
  pauseMs: () => number | undefined;
}

/** Whether the source of values is out of order, and when to try it again: soon at first, then less often. */
export function createCircuitBreaker(): CircuitBreaker {
  let failures = 0;
  let tryAgainAt = 0;
  return {
    begin(error) {
      const pause = Math.min(FIRST_PAUSE_MS * 2 ** failures, LONGEST_PAUSE_MS) * (0.8 + Math.random() * 0.2);
      const wanted = error instanceof SourceDownError ? error.pauseMs : 0;
      tryAgainAt = performance.now() + Math.max(pause, wanted);
      failures++;
      return failures === 1;
    },
    end() {
      const wasOut = failures > 0;
      failures = 0;
      return wasOut;
    },
    pauseMs: () => (failures === 0 ? undefined : Math.max(0, tryAgainAt - performance.now())),
  };
}
