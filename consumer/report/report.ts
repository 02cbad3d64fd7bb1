import type { Failure, Fill } from '../../database/events/settle.ts';

/** What a consumer says of its work; as JSON lines or as lines for people. */
export interface Report {
  /** `ms`: from the claim to the fill. `lost`: claims that no longer held, so that nothing was changed. */
  filled: (fills: readonly Fill[], lost: number, ms: number) => void;
  failed: (failures: readonly Failure[], lost: number) => void;
  /** Given back untouched. */
  released: (events: number, why: string) => void;
  /** Once when it begins, not for each failed try. */
  sourceDown: (error: unknown) => void;
  sourceBack: () => void;
  databaseLost: (error: unknown) => void;
  databaseBack: () => void;
  /** Something that the next round may mend. */
  trouble: (what: string, error: unknown) => void;
  note: (line: string) => void;
  warn: (line: string) => void;
  /** Resolves when what was held back is written, or nobody reads it any more. */
  flush: () => Promise<void>;
}

export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // fetch says only "fetch failed"; what failed is in the cause.
  return error.cause instanceof Error ? `${error.message} (${messageOf(error.cause)})` : error.message;
}
