import { sql } from 'kysely';
import type { Database } from '../connect.ts';
import type { Claim } from './claim.ts';
import { type Attempt, toLogLine } from './log.ts';
import { noticesFor } from './notices.ts';
import { repeatIfUnknown } from './repeat-if-unknown.ts';
import { storable } from './storable.ts';

/** Claims of one consumer. */
export interface Fenced<T extends Claim> {
  claimedBy: string;
  claims: readonly T[];
}

/**
 * What became of them. A row that another connection has locked is passed over, and may be tried again until its lease is
 * over. Lost: somebody else may hold the event by now, and it is unchanged.
 */
export interface Written<T extends Claim> {
  written: readonly T[];
  locked: readonly T[];
  lost: readonly T[];
}

/** What may be written to the log of how a claim ended. */
interface Logged {
  log?: Attempt | undefined;
}

/** The value: a word, or the text of JSON of another kind. */
export type Fill = Claim & Logged & { valor: string };

/**
 * held -> filled. Each value is written once. `written` is `claims` itself if all were written; else another client may have
 * filled one under our claim, with a value of its own.
 */
export function fillEvents<T extends Fill>(
  db: Database,
  { claimedBy, claims, hasKeys = true }: Fenced<T> & HasKeys,
): Promise<Written<T>> {
  const list = toFills(claims);
  // What it filled the first time is no longer open.
  return repeatIfUnknown(async () => {
    const written = await call(db, sql`fill_events(${claimedBy}, ${list}, ${hasKeys})`);
    if (written === claims.length) return { written: claims, locked: [], lost: [] };
    const ours = await findOurs(db, { claimedBy, claims });
    return split(claims, ours, ({ isFilled }) => isFilled === 1);
  });
}

export interface HasKeys {
  /** Whether any of the events may have an ordering key. @default true */
  hasKeys?: boolean;
}

export type GiveBack = Claim &
  Logged &
  // Counted; without a delay it is dead.
  (
    | { outcome: 'failed'; reason: string; delayMs: number | undefined }
    // Counted, and dead; the reason is for whoever waits for it.
    | { outcome: 'refused'; reason: string }
    | { outcome: 'later'; delayMs: number }
    | { outcome: 'released' }
  );

/** Whether one of them may be dead then. */
export const maySettle = (claims: readonly GiveBack[]) => claims.some((claim) => 'reason' in claim);

/** held -> due again, at once or after a pause, or -> dead. Resolves to how many; those that are not locked either are lost. */
export async function giveBackEvents<T extends GiveBack>(
  db: Database,
  { claimedBy, claims, hasKeys = true }: Fenced<T> & HasKeys,
): Promise<{ givenBack: number; locked: readonly T[] }> {
  const list = toGiveBacks(claims);
  const givenBack = await call(db, sql`give_back_events(${claimedBy}, ${list}, ${hasKeys})`);
  if (maySettle(claims)) noticesFor(db).emit('settled');
  if (givenBack === claims.length) return { givenBack, locked: [] };
  const ours = await findOurs(db, { claimedBy, claims });
  return { givenBack, locked: split(claims, ours, () => false).locked };
}

/** held -> held, until `leaseMs` from now: for a holder that needs longer. */
export async function renewEvents<T extends Claim>(
  db: Database,
  { claimedBy, claims, leaseMs }: Fenced<T> & { leaseMs: number },
): Promise<Written<T>> {
  const list = JSON.stringify(claims.map(({ id, attempt }) => [id, attempt]));
  const written = await call(db, sql`renew_events(${claimedBy}, ${list}, ${leaseMs})`);
  if (written === claims.length) return { written: claims, locked: [], lost: [] };
  const ours = (await findOurs(db, { claimedBy, claims })).filter(({ isFilled }) => !isFilled);
  // The leases that were renewed end together, after all others.
  const latest = Math.max(...ours.map(({ lease_until }) => lease_until.getTime()));
  return split(claims, ours, ({ lease_until }) => written > 0 && lease_until.getTime() === latest);
}

/** Within the transaction `db`: locks the row of a claim that holds. Resolves to whether it does. */
export async function lockHeld(db: Database, claimedBy: string, { id, attempt }: Claim): Promise<boolean> {
  const { rows } = await sql<{ id: number }[]>`CALL lock_held(${claimedBy}, ${id}, ${attempt})`.execute(db);
  return rows[0]!.length > 0;
}

/** The same of many: locks those that hold, but for what another connection has locked. Resolves to their ids. */
export async function lockAllHeld(db: Database, { claimedBy, claims }: Fenced<Claim>): Promise<Set<number>> {
  const list = JSON.stringify(claims.map(({ id, attempt }) => [id, attempt]));
  const { rows } = await sql<{ held: string }[]>`CALL lock_all_held(${claimedBy}, ${list})`.execute(db);
  return new Set((JSON.parse(rows[0]![0]!.held) as [number, number][]).map(([id]) => id));
}

/** held -> filled, within the transaction `db`. Resolves to how many. */
export function fillHeld(db: Database, { claimedBy, claims, hasKeys = true }: Fenced<Fill> & HasKeys): Promise<number> {
  return call(db, sql`fill_held(${claimedBy}, ${toFills(claims)}, ${hasKeys})`);
}

/** locked by lockEvents -> filled, within the same transaction `db`. Resolves to how many. */
export function fillLocked(
  db: Database,
  { claimedBy, claims, hasKeys = true }: Fenced<Fill> & HasKeys,
): Promise<number> {
  return call(db, sql`fill_locked(${claimedBy}, ${toFills(claims)}, ${hasKeys})`);
}

/** locked by lockEvents -> due again or dead, within the same transaction `db`. Resolves to how many. */
export function giveBackLocked(
  db: Database,
  { claimedBy, claims, hasKeys = true }: Fenced<GiveBack> & HasKeys,
): Promise<number> {
  return call(db, sql`give_back_locked(${claimedBy}, ${toGiveBacks(claims)}, ${hasKeys})`);
}

/** After a transaction whose end is unknown: whether it filled the event by this claim. */
export async function isFilledBy(db: Database, claimedBy: string, claim: Claim): Promise<boolean> {
  const [ours] = await findOurs(db, { claimedBy, claims: [claim] });
  return ours?.isFilled === 1;
}

function toFills(claims: readonly Fill[]): string {
  return toList(claims, ({ id, attempt, valor }) => [id, attempt, valor]);
}

function toGiveBacks(claims: readonly GiveBack[]): string {
  return toList(claims, toTuple);
}

/** A line of the log is the sixth member; the first claim says whether there are any. */
function toList<T extends Claim & Logged>(claims: readonly T[], toTuple: (claim: T) => unknown[]): string {
  if (!claims.some(({ log }) => log)) return JSON.stringify(claims.map(toTuple));
  return JSON.stringify(
    claims.map((claim) => {
      const [id, attempt, what, delayMs = null, reason = null] = toTuple(claim);
      return [id, attempt, what, delayMs, reason, claim.log ? toLogLine(claim.log) : null];
    }),
  );
}

async function call(db: Database, routine: ReturnType<typeof sql>): Promise<number> {
  const { rows } = await sql<{ written: number }[]>`CALL ${routine}`.execute(db);
  return rows[0]![0]!.written;
}

interface Ours {
  id: number;
  isFilled: 0 | 1;
  lease_until: Date;
}

/** Those that these claims still hold, or have filled. Locks nothing. */
async function findOurs(db: Database, { claimedBy, claims }: Fenced<Claim>): Promise<Ours[]> {
  const list = JSON.stringify(claims.map(({ id, attempt }) => [id, attempt]));
  const { rows } = await sql<Ours>`
    SELECT Events.id, Events.open IS NULL AS isFilled, Events.lease_until
    FROM JSON_TABLE(${list}, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$[0]', attempt INT UNSIGNED PATH '$[1]')) AS given
    STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = given.id
    WHERE Events.claimed_by = ${claimedBy} AND Events.attempts = given.attempt
      AND (Events.valor <> '' OR Events.processing = 1 AND Events.lease_until > UTC_TIMESTAMP(3))`.execute(db);
  return rows;
}

function split<T extends Claim>(claims: readonly T[], ours: Ours[], isWritten: (row: Ours) => boolean): Written<T> {
  const rows = new Map(ours.map((row) => [row.id, row]));
  const groups = Object.groupBy(claims, ({ id }) => {
    const row = rows.get(id);
    return row ? (isWritten(row) ? 'written' : 'locked') : 'lost';
  });
  return { written: groups.written ?? [], locked: groups.locked ?? [], lost: groups.lost ?? [] };
}

function toTuple(claim: GiveBack): unknown[] {
  const { id, attempt, outcome } = claim;
  switch (outcome) {
    case 'failed':
      return [id, attempt, outcome, claim.delayMs ?? null, storable(claim.reason)];
    case 'refused':
      return [id, attempt, outcome, null, storable(claim.reason)];
    case 'later':
      return [id, attempt, outcome, claim.delayMs];
    case 'released':
      return [id, attempt, outcome, 0];
  }
}
