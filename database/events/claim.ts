import { sql } from 'kysely';
import type { Database } from '../connect.ts';

/** A claim: its consumer holds this event until the lease ends. With `claimedBy`, `attempt` is the fence. */
export interface Claim {
  id: number;
  attempt: number;
}

/** Which of the due events a claim looks at. */
export interface ClaimRange {
  /** Only those that have been due since then. Default: all. */
  since?: Date | undefined;
  /** Told from when on the next claim need look: what was due before is taken. Now and then, let one look at all. */
  onNext?: (since: Date) => void;
}

// The first moment that a TIMESTAMP can hold.
const EVER = new Date(1_000);

/**
 * pending -> processing, for up to `most` events that are open and due, oldest first. Each is held until `leaseMs`
 * from now, by the database's clock. An empty list does not mean an empty table: others may hold what is left.
 */
export async function claimEvents(
  db: Database,
  claimedBy: string,
  most: number,
  leaseMs: number,
  { since = EVER, onNext }: ClaimRange = {},
): Promise<Claim[]> {
  const { rows } = await sql<
    { claimed: string | null; next_since: Date }[]
  >`CALL claim_events(${claimedBy}, ${most}, ${leaseMs}, ${since})`.execute(db);
  const { claimed, next_since } = rows[0]![0]!;
  onNext?.(next_since);
  const claims = JSON.parse(claimed ?? '[]') as [id: number, attempt: number][];
  return claims.map(([id, attempt]) => ({ id, attempt })).toSorted((a, b) => a.id - b.id);
}
