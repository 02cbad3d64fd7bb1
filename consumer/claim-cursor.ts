import type { ClaimResult } from '../database/events/claim.ts';

const FULL_LOOK_EVERY_MS = 1_000;
// A full look that takes long is made less often, so that it has this share of the time …
const SHARE = 0.1;
// … but often enough: an outage may have been what took long.
const FULL_LOOK_WITHIN_MS = 10_000;

export type ClaimCursor = (claim: (since: Date | undefined) => Promise<ClaimResult>) => Promise<ClaimResult>;

/**
 * Lets each claim begin where the last one ended; once a second, one looks at all that is due, and finds what was left
 * behind. Why not every claim looks at all: docs/design.md, "The claim cursor".
 */
export function createClaimCursor(): ClaimCursor {
  let since: Date | undefined;
  let fullLookAt = 0;
  return async (claim) => {
    const startedAt = performance.now();
    const full = startedAt >= fullLookAt;
    try {
      const result = await claim(full ? undefined : since);
      since = result.nextSince;
      return result;
    } finally {
      // Also after one that failed: perhaps it took too long.
      const endedAt = performance.now();
      const restMs = Math.max(FULL_LOOK_EVERY_MS, (endedAt - startedAt) / SHARE);
      if (full) fullLookAt = endedAt + Math.min(restMs, FULL_LOOK_WITHIN_MS);
    }
  };
}
