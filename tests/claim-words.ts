import type { Database } from '../database/connect.ts';
import { claimEvents, type KindClaims, type KindRequest } from '../database/events/claim.ts';

export interface TestClaim extends Partial<KindRequest> {
  /** @default 'a' */
  claimedBy?: string;
  /** @default 30_000 */
  leaseMs?: number;
}

/** For tests: one claim of one kind, of words unless it says another. */
export async function claimWords(
  db: Database,
  {
    claimedBy = 'a',
    leaseMs = 30_000,
    kind = 'word',
    limit = 10_000,
    maxFailures = 5,
    since,
    alone,
    log,
  }: TestClaim = {},
): Promise<KindClaims> {
  const [result] = await claimEvents(db, {
    claimedBy,
    leaseMs,
    kinds: [{ kind, limit, maxFailures, since, log, ...(alone && { alone }) }],
  });
  return result!;
}

/** For tests: the ids of what one claim takes. */
export async function claimIds(db: Database, claim: TestClaim = {}): Promise<number[]> {
  return (await claimWords(db, claim)).claims.map(({ id }) => id);
}
