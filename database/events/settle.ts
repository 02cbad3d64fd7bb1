import { sql } from 'kysely';
import type { Database } from '../connect.ts';
import type { Claim } from './claim.ts';
import { repeatIfUnknown } from './repeat-if-unknown.ts';

export interface Fill extends Claim {
  valor: string;
}

/**
 * processing -> filled, for each claim that still holds: same consumer, same attempt, lease not over, still empty.
 * Resolves to the ids that were filled; a missing one was a lost claim and is unchanged. A value is 1 to 255 characters
 * of well-formed text.
 */
export async function fillEvents(
  db: Database,
  { claimedBy, fills }: { claimedBy: string; fills: readonly Fill[] },
): Promise<{ filled: Set<number> }> {
  const list = JSON.stringify(fills.map(({ id, attempt, valor }) => [id, attempt, valor]));
  // FORCE INDEX: on a small table the optimizer would rather read it all, and wait for rows that others hold.
  const fill = () =>
    sql`
      UPDATE JSON_TABLE(${list}, '$[*]' COLUMNS (
        id BIGINT UNSIGNED PATH '$[0]', attempt INT UNSIGNED PATH '$[1]', valor VARCHAR(255) PATH '$[2]'
      )) AS made
      STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = made.id
      SET Events.valor = made.valor, Events.processing = 0, Events.filled_at = NOW(3), Events.last_error = NULL
      WHERE Events.open = 1 AND Events.claimed_by = ${claimedBy} AND Events.attempts = made.attempt
        AND Events.due_at > NOW(3) AND made.valor <> ''`.execute(db);

  // What it filled the first time is no longer open.
  const { numAffectedRows } = await repeatIfUnknown(fill);
  if (Number(numAffectedRows) === fills.length) return { filled: new Set(fills.map(({ id }) => id)) };

  const ours = await sql<{ id: number }>`
    SELECT Events.id
    FROM JSON_TABLE(${list}, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$[0]', attempt INT UNSIGNED PATH '$[1]')) AS made
    STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = made.id
    WHERE Events.claimed_by = ${claimedBy} AND Events.attempts = made.attempt AND Events.valor <> ''`.execute(db);
  return { filled: new Set(ours.rows.map(({ id }) => id)) };
}

/**
 * processing -> processing, until `leaseMs` from now: for a holder that needs longer. Resolves to how many were still
 * held; the others were lost and are unchanged.
 */
export async function renewEvents(
  db: Database,
  { claimedBy, claims, leaseMs }: { claimedBy: string; claims: readonly Claim[]; leaseMs: number },
): Promise<{ renewed: number }> {
  const list = JSON.stringify(claims.map(({ id, attempt }) => [id, attempt]));
  const { numAffectedRows } = await sql`
    UPDATE JSON_TABLE(${list}, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$[0]', attempt INT UNSIGNED PATH '$[1]')) AS held
    STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = held.id
    SET Events.due_at = NOW(3) + INTERVAL ${leaseMs * 1_000} MICROSECOND
    WHERE Events.open = 1 AND Events.claimed_by = ${claimedBy} AND Events.attempts = held.attempt
      AND Events.due_at > NOW(3)`.execute(db);
  return { renewed: Number(numAffectedRows) };
}

/**
 * processing -> pending, untouched: due at once, and the attempt does not count. For claims that were never worked on.
 * Returns how many were still held; the others were lost, or their lease is over, which comes to the same.
 */
export async function releaseEvents(
  db: Database,
  { claimedBy, claims }: { claimedBy: string; claims: readonly Claim[] },
): Promise<{ released: number }> {
  const list = JSON.stringify(claims.map(({ id, attempt }) => [id, attempt]));
  const { numAffectedRows } = await sql`
    UPDATE JSON_TABLE(${list}, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$[0]', attempt INT UNSIGNED PATH '$[1]')) AS held
    STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = held.id
    SET Events.processing = 0, Events.claimed_by = NULL, Events.attempts = Events.attempts - 1, Events.due_at = NOW(3)
    WHERE Events.open = 1 AND Events.claimed_by = ${claimedBy} AND Events.attempts = held.attempt
      AND Events.due_at > NOW(3)`.execute(db);
  return { released: Number(numAffectedRows) };
}

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
 * processing -> pending after a pause that doubles with each attempt, or -> dead (never due) when the attempts are
 * spent. Fenced like a fill. Returns how many claims were still held.
 */
export async function failEvents(
  db: Database,
  { claimedBy, failures, retry }: { claimedBy: string; failures: readonly Failure[]; retry: RetryPolicy },
): Promise<{ failed: number }> {
  const { maxAttempts, firstDelayMs, maxDelayMs } = retry;
  const list = JSON.stringify(failures.map(({ id, attempt, reason }) => [id, attempt, reason.slice(0, 255)]));
  // The exponent is bounded before the delay is: POW fails where a double ends.
  const { numAffectedRows } = await sql`
    UPDATE JSON_TABLE(${list}, '$[*]' COLUMNS (
      id BIGINT UNSIGNED PATH '$[0]', attempt INT UNSIGNED PATH '$[1]', reason VARCHAR(255) PATH '$[2]'
    )) AS failed
    STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = failed.id
    SET Events.processing = 0, Events.claimed_by = NULL, Events.last_error = failed.reason,
      Events.due_at = IF(failed.attempt >= ${maxAttempts}, NULL, NOW(3) + INTERVAL
        LEAST(${firstDelayMs} * POW(2, LEAST(failed.attempt, 40) - 1), ${maxDelayMs}) * 1000 MICROSECOND)
    WHERE Events.open = 1 AND Events.claimed_by = ${claimedBy} AND Events.attempts = failed.attempt
      AND Events.due_at > NOW(3)`.execute(db);
  return { failed: Number(numAffectedRows) };
}
