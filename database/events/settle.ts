import { sql } from 'kysely';
import type { Database } from '../connect.ts';
import type { Claim } from './claim.ts';
import { type Written, writeFenced } from './fence.ts';
import { repeatIfUnknown } from './repeat-if-unknown.ts';

/**
 * Rows that another connection has locked are passed over, so that no other waits. The caller may try them again until
 * their lease is over. All other claims that a result lacks are lost, and their events unchanged.
 */
export interface Settled {
  /** Ids whose claims still hold. */
  locked: number[];
}

export interface Fill extends Claim {
  valor: string;
}

/** processing -> filled. Resolves to the ids that were filled. A value is 1 to 255 characters of well-formed text. */
export async function fillEvents(
  db: Database,
  { claimedBy, fills }: { claimedBy: string; fills: readonly Fill[] },
): Promise<Settled & { filled: Set<number> }> {
  const fenced = { claimedBy, claims: fills.map(({ valor, ...claim }) => ({ ...claim, text: valor })) };
  const set = sql`valor = held.text, processing = 0, filled_at = NOW(3), last_error = NULL`;
  // What it filled the first time is no longer open.
  const { written, ours } = await repeatIfUnknown(() => writeFenced(db, fenced, { set, where: sql`given.text <> ''` }));
  const filled = written === fills.length ? fills : ours.filter(({ isFilled }) => isFilled);
  return { filled: new Set(filled.map(({ id }) => id)), locked: stillHeld(ours) };
}

/** processing -> processing, until `leaseMs` from now: for a holder that needs longer. Resolves to how many. */
export async function renewEvents(
  db: Database,
  { leaseMs, ...fenced }: { claimedBy: string; claims: readonly Claim[]; leaseMs: number },
): Promise<Settled & { renewed: number }> {
  const set = sql`due_at = NOW(3) + INTERVAL ${leaseMs * 1_000} MICROSECOND`;
  const { written, ours } = await writeFenced(db, fenced, { set });
  const held = ours.filter(({ isFilled }) => !isFilled);
  // The leases that were renewed end together, after all others.
  const latest = Math.max(...held.map(({ due_at }) => due_at.getTime()));
  const notRenewed = written === 0 ? held : held.filter(({ due_at }) => due_at.getTime() < latest);
  return { renewed: written, locked: notRenewed.map(({ id }) => id) };
}

/**
 * processing -> pending, untouched: due at once, and the attempt does not count. For claims that were never worked on.
 * Resolves to how many.
 */
export async function releaseEvents(
  db: Database,
  fenced: { claimedBy: string; claims: readonly Claim[] },
): Promise<Settled & { released: number }> {
  const set = sql`processing = 0, claimed_by = '', attempts = attempts - 1, due_at = NOW(3)`;
  const { written, ours } = await writeFenced(db, fenced, { set });
  return { released: written, locked: stillHeld(ours) };
}

const REASON_LIMIT = 255;

export interface Failure extends Claim {
  /** Shown to people; cut at 255 characters. */
  reason: string;
}

export interface RetryPolicy {
  /** After this many attempts an event is dead. */
  maxAttempts: number;
  /** Before the second attempt, in ms; doubled for each one after that, up to `maxDelayMs`. */
  firstDelayMs: number;
  maxDelayMs: number;
}

/**
 * processing -> pending after a pause that doubles with each attempt, or -> dead when the attempts are spent: never due,
 * and not to be taken by clients that know only `processing = 0`. Resolves to how many.
 */
export async function failEvents(
  db: Database,
  { claimedBy, failures, retry }: { claimedBy: string; failures: readonly Failure[]; retry: RetryPolicy },
): Promise<Settled & { failed: number }> {
  const { maxAttempts, firstDelayMs, maxDelayMs } = retry;
  const fenced = { claimedBy, claims: failures.map(({ reason, ...claim }) => ({ ...claim, text: storable(reason) })) };
  // The exponent is bounded before the delay is: POW fails where a double ends.
  const set = sql`
    processing = IF(attempts >= ${maxAttempts}, 2, 0), claimed_by = '', last_error = held.text,
    due_at = IF(attempts >= ${maxAttempts}, NULL, NOW(3) + INTERVAL
      LEAST(${firstDelayMs} * POW(2, LEAST(attempts, 40) - 1), ${maxDelayMs}) * 1000 MICROSECOND)`;
  const { written, ours } = await writeFenced(db, fenced, { set });
  return { failed: written, locked: stillHeld(ours) };
}

function stillHeld(ours: Written['ours']): number[] {
  return ours.filter(({ isFilled }) => !isFilled).map(({ id }) => id);
}

/** As many characters as the column takes, which are not UTF-16 units, and no half ones, which JSON does not carry. */
function storable(text: string): string {
  const characters = Array.from(text.slice(0, 2 * REASON_LIMIT).toWellFormed());
  return characters.slice(0, REASON_LIMIT).join('');
}
