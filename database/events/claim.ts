import { sql } from 'kysely';
import type { Database } from '../connect.ts';

/** A claim: its consumer holds this event until the lease ends. With `claimedBy`, `attempt` is the fence. */
export interface Claim {
  id: number;
  attempt: number;
}

export interface ClaimRequest {
  /** Unlike that of any other claim. */
  claimedBy: string;
  limit: number;
  leaseMs: number;
  /** Look only at what has been due since then. @default look at all */
  since?: Date | undefined;
}

export interface ClaimResult {
  /** By id. */
  claims: Claim[];
  /** From when on the next claim need look: what was due before is taken. Now and then, let one look at all. */
  nextSince: Date;
}

// The first moment that a TIMESTAMP can hold.
const EVER = new Date(1_000);

/**
 * pending -> processing, for up to `limit` events that are open and due, oldest first. Each is held for `leaseMs`, by
 * the database's clock. No claims do not mean an empty table: others may hold what is left.
 */
export async function claimEvents(
  db: Database,
  { claimedBy, limit, leaseMs, since = EVER }: ClaimRequest,
): Promise<ClaimResult> {
  const { rows } = await sql<
    { claimed: string | null; next_since: Date }[]
  >`CALL claim_events(${claimedBy}, ${limit}, ${leaseMs}, ${since})`.execute(db);
  const { claimed, next_since } = rows[0]![0]!;
  const claims = (JSON.parse(claimed ?? '[]') as [id: number, attempt: number][])
    .map(([id, attempt]) => ({ id, attempt }))
    .toSorted((a, b) => a.id - b.id);
  return { claims, nextSince: next_since };
}
