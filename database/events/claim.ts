import { sql } from 'kysely';
import type { Database } from '../connect.ts';

/** A claim: its consumer holds this event until the lease ends. With the consumer's name, `attempt` is the fence. */
export interface Claim {
  id: number;
  /** Which claim of the event this is, from 1. */
  attempt: number;
}

export interface ClaimedEvent extends Claim {
  /** Failed attempts and lost leases before this one. */
  failures: number;
  /** How often its handler said `later`. */
  waits: number;
  createdAt: Date;
  key: string | undefined;
  /** Of an event that was locked, not claimed: whether another of its key waited for it then. */
  hasNext: boolean;
  /** The text of JSON that its creator gave. */
  payload: string | undefined;
  trace: string | undefined;
}

export interface KindRequest {
  kind: string;
  limit: number;
  /** An event that loses as many leases, with its failures, is dead. */
  maxFailures: number;
  /** Take also an event on its last attempt that lost its consumer before: nothing else may run beside it. @default no */
  alone?: true;
  /** Look only at what has been due since then: the `nextSince` of an earlier claim. @default look at all */
  since?: string | undefined;
  /** Whether leases that are found to be over leave a line in the log. @default no */
  log?: true | undefined;
}

export interface ClaimRequest {
  /** Unlike that of any other consumer; at most 48 characters. */
  claimedBy: string;
  leaseMs: number;
  kinds: readonly KindRequest[];
}

export interface KindClaims {
  /** By id. */
  claims: ClaimedEvent[];
  /** From when on the next claim need look: what was due before is taken, or found once a second by one of all consumers. */
  nextSince: string;
  /** From when on an event is due that nobody holds; undefined if there is none, or the kind is paused. */
  dueSince: string | undefined;
  /** The first that is due has lost its consumers, and its next attempt is its last: it is only claimed alone. */
  isSuspect: boolean;
}

/**
 * open and due -> held, oldest first, for each of the kinds; at most 8 MB of payloads in all, but one event of each. No claims
 * do not mean an empty table: others may hold what is left.
 */
export async function claimEvents(db: Database, { claimedBy, leaseMs, kinds }: ClaimRequest): Promise<KindClaims[]> {
  const { rows } = await sql<ResultSet>`CALL claim_events(${claimedBy}, ${leaseMs}, ${JSON.stringify(kinds)})`.execute(
    db,
  );
  const results = rows[Symbol.iterator]();
  return kinds.map(() => readClaims(results));
}

/**
 * open and due -> locked, until the transaction `db` ends, as `claimEvents` would claim them. Nothing is marked: `attempt` is
 * what it will be when the event is written.
 */
export async function lockEvents(db: Database, request: KindRequest & { since: string }): Promise<KindClaims> {
  const { rows } = await sql<ResultSet>`CALL lock_events(${JSON.stringify(request)})`.execute(db);
  return readClaims(rows[Symbol.iterator]());
}

export interface NextRequest extends Pick<KindRequest, 'kind' | 'limit' | 'maxFailures'> {
  /** Events that this transaction has locked: the nth of their keys in it. */
  after: readonly number[];
  /** From 1. */
  nth: number;
  /** So many bytes of payloads, but one event. */
  payloadRoom: number;
}

/**
 * waiting for their key -> locked, until the transaction `db` ends: the next event of each of these. None for a key that must
 * wait: docs/design.md, "Many of a key in one transaction".
 */
export async function lockNextEvents(db: Database, request: NextRequest): Promise<ClaimedEvent[]> {
  const { rows } = await sql`CALL lock_next_events(${JSON.stringify(request)})`.execute(db);
  const [[head], details] = rows as [[Pick<ClaimHead, 'claimed'>], DetailsRow[]];
  return toClaimedEvents(head.claimed, details);
}

function readClaims(results: Iterator<ResultSet>): KindClaims {
  const [head] = results.next().value as [ClaimHead];
  const details = head.has_payloads ? (results.next().value as DetailsRow[]) : [];
  const { claimed, next_since, due_since, is_suspect } = head;
  return {
    claims: toClaimedEvents(claimed, details),
    nextSince: next_since,
    dueSince: due_since ?? undefined,
    isSuspect: is_suspect === 1,
  };
}

type ClaimedTuple = [id: number, attempt: number, failures: number, waits: number, createdMs: number];
type ClaimHead = {
  claimed: string | null;
  has_payloads: 0 | 1;
  next_since: string;
  due_since: string | null;
  is_suspect: 0 | 1;
};
type DetailsRow = {
  id: number;
  event_key: string | null;
  payload: string | null;
  trace: string | null;
  /** Of what is locked. */
  has_next?: 1 | null;
};
type ResultSet = [ClaimHead] | DetailsRow[];

function toClaimedEvents(claimed: string | null, rows: DetailsRow[]): ClaimedEvent[] {
  const details = new Map(rows.map((row) => [row.id, row]));
  return (JSON.parse(claimed ?? '[]') as ClaimedTuple[])
    .map(([id, attempt, failures, waits, createdMs]) => {
      const { event_key, payload, trace, has_next }: Omit<DetailsRow, 'id'> = details.get(id) ?? NO_DETAILS;
      return {
        id,
        attempt,
        failures,
        waits,
        createdAt: new Date(createdMs),
        key: event_key ?? undefined,
        hasNext: has_next === 1,
        payload: payload ?? undefined,
        trace: trace ?? undefined,
      };
    })
    .toSorted((a, b) => a.id - b.id);
}

const NO_DETAILS = { event_key: null, payload: null, trace: null };
