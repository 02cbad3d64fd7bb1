const LONGEST_PAUSE_MS = 5;

export interface Turns {
  /** Told of each create: its first id, how many events it made, and for how many ms it waited until others had made theirs. */
  taken: (firstId: number, howMany: number, waitedMs: number) => void;
  /**
   * How long to wait, in whole ms, before the next is sent; 0 if nothing may be waited for, and if asked again before
   * that has been told of.
   */
  takePause: (mayWait: boolean) => number;
}

/**
 * Creates of all producers take turns at one row. What is sent while another producer has its turn waits in the database,
 * without those who come meanwhile; so half of that time is waited here, and a transaction that is sent then is still in
 * time for its turn. Ids that do not follow our last ones tell that others are there. Alone, nothing is waited for.
 */
export function createTurns(): Turns {
  let nextId: number | undefined;
  let pausedMs = 0;
  let pauseMs = 0;
  return {
    taken(firstId, howMany, waitedMs) {
      const untilItsTurn = pausedMs + Math.max(0, waitedMs); // a clock may be set back
      const isAlone = firstId === (nextId ?? firstId);
      pauseMs = isAlone ? 0 : Math.min(LONGEST_PAUSE_MS, Math.round(untilItsTurn / 2));
      nextId = firstId + howMany;
    },
    takePause(mayWait) {
      pausedMs = mayWait ? pauseMs : 0;
      pauseMs = 0;
      return pausedMs;
    },
  };
}
