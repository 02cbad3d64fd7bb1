import { SourceDownError } from '../handlers/handler.ts';

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 2_000;

export interface CircuitBreaker {
  /** Closed: the handler works. Open: it does not. Half-open: the pause is over, and a trial shows whether it works again. */
  state: () => 'closed' | 'open' | 'half-open';
  /** Ms until an open one is half-open. */
  pauseMs: () => number;
  /** The handler failed. True if the breaker was closed until now. */
  open: (error: unknown) => boolean;
  /** The handler works. True if the breaker was not closed. */
  close: () => boolean;
}

/** Keeps events away from a handler that fails. The first pause before a trial is short, the following ones are longer. */
export function createCircuitBreaker(): CircuitBreaker {
  let failures = 0;
  let trialAt = 0;
  const pauseMs = () => Math.max(0, trialAt - performance.now());
  return {
    state: () => (failures === 0 ? 'closed' : pauseMs() > 0 ? 'open' : 'half-open'),
    pauseMs,
    open(error) {
      const pause = Math.min(FIRST_PAUSE_MS * 2 ** failures, LONGEST_PAUSE_MS) * (0.8 + Math.random() * 0.2);
      const wanted = error instanceof SourceDownError ? error.pauseMs : 0;
      trialAt = performance.now() + Math.max(pause, wanted);
      return failures++ === 0;
    },
    close() {
      const wasClosed = failures === 0;
      failures = 0;
      return !wasClosed;
    },
  };
}
