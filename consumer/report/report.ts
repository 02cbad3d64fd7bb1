import type { Claim } from '../../database/events/claim.ts';
import type { Fill } from '../../database/events/settle.ts';

/** A failed attempt, and why. */
type Failure = Claim & { reason: string };

/** What a consumer says of its work: as JSON lines, or as lines for people. */
export interface Report {
  /** `ms`: from the claim to the fill. `lost`: claims that no longer held, so that nothing was changed. */
  filled: (fills: readonly Fill[], lost: number, ms: number) => void;
  failed: (failures: readonly Failure[], lost: number) => void;
  /** Given back untouched. */
  released: (events: number, why: string) => void;
  /** Another connection has kept the rows of these events locked, the first of them for at least `ms`. */
  locked: (ids: readonly number[], ms: number) => void;
  /** Once when its circuit breaker opens, not for each trial that fails. */
  handlerDown: (kind: string, error: unknown) => void;
  handlerBack: (kind: string) => void;
  databaseLost: (error: unknown) => void;
  databaseBack: () => void;
  /** A fault that the next round may mend. */
  trouble: (what: string, error: unknown) => void;
  note: (line: string) => void;
  warn: (line: string) => void;
  /** Resolves when what was held back is written, or nobody reads it any more. */
  flush: () => Promise<void>;
}

/** The message with its causes: fetch says only "fetch failed", and its cause says what failed. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? messageOf(error.cause) : '';
  return error.message.includes(cause) ? error.message : `${error.message} (${cause})`;
}
