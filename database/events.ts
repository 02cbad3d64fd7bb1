// Longer than 200 lines because all SQL stands in one place; each function is one arrow of the life cycle, or one question.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Selectable, sql } from 'kysely';
import type { Database } from './connect.ts';
import { DatabaseError, isDuplicateKey } from './database-error.ts';
import type { EventsTable } from './schema.ts';

/** What a caller may say of an event that it creates. Nothing yet. */
export type NewEvent = Record<string, never>;

/** A claim: its consumer holds this event until the lease ends. With `claimedBy`, `attempt` is the fence. */
export interface Claim {
  id: number;
  attempt: number;
}

export interface EventView {
  id: number;
  valor: string | null;
  status: 'pending' | 'processing' | 'filled' | 'dead';
}

/** All that a person asks about an event. */
export interface EventDetails extends EventView {
  attempts: number;
  /** Who holds it or filled it. */
  claimedBy: string | null;
  /** From when on it may be claimed, which is the end of the lease while it is held; null for a dead one: never. */
  dueAt: Date | null;
  createdAt: Date;
  filledAt: Date | null;
  lastError: string | null;
}

/** An event that nobody will work on any more. `valor` is the word of a filled one and null for a dead one. */
export interface SettledEvent {
  id: number;
  valor: string | null;
  status: 'filled' | 'dead';
}

// Foreign clients may set the counter back as soon as it is mended, so once or twice is not enough.
const CREATE_TRIES = 10;
const REVIVE_BATCH = 1_000;

/**
 * (nothing) -> pending. Creates all events in one transaction and resolves to the id of the first; the others follow
 * without a gap. When it resolves, they are committed. Rejects with the fault `unknown` if that cannot be known.
 * `onTurn` is told before for how many ms, by the database's clock, the creates of others went first.
 */
export function createEvents(
  db: Database,
  events: readonly NewEvent[],
  onTurn?: (waitedMs: number) => void,
): Promise<number> {
  const list = JSON.stringify(events);
  return besideForeignClients(db, async () => {
    const { rows } = await sql<{ first_id: number; waited: number }[]>`CALL create_events(${list})`.execute(db);
    const { first_id, waited } = rows[0]![0]!;
    onTurn?.(waited / 1_000);
    return first_id;
  });
}

/** A create that may be sent as often as one likes: its events are created once. */
export interface KeyedCreate {
  /** 1 to 255 characters of ASCII. */
  key: string;
  events: readonly NewEvent[];
}

/** The events that were created under a key, perhaps long ago: `firstId` … `firstId + howMany - 1`. */
export interface CreatedOnce {
  firstId: number;
  howMany: number;
}

/**
 * (nothing) -> pending, for each key that was not used before. Resolves to what each key stands for, now or from an
 * earlier call, also one of another process; all of it is committed. Each key may be given once. An unknown outcome is
 * resolved by asking again; only if that fails as well does it reject with the fault `unknown`.
 */
export async function createEventsOnce(
  db: Database,
  requests: readonly KeyedCreate[],
): Promise<Map<string, CreatedOnce>> {
  const list = JSON.stringify(requests);
  type Row = { idempotency_key: string; first_id: number; how_many: number };
  const create = () => besideForeignClients(db, () => sql<Row[]>`CALL create_events_once(${list})`.execute(db));
  let { rows } = await onceMoreIfUnknown(create);
  // A key that was forgotten while it was repeated is as good as new.
  if (rows[0]!.length < requests.length) ({ rows } = await onceMoreIfUnknown(create));
  return new Map(
    rows[0]!.map(({ idempotency_key, first_id, how_many }) => [
      idempotency_key,
      { firstId: first_id, howMany: how_many },
    ]),
  );
}

/** Forgets up to `most` keys that are older than `olderThanMs`. Resolves to how many; fewer than `most`: no more are. */
export async function forgetKeys(db: Database, olderThanMs: number, most: number): Promise<number> {
  const { rows } = await sql<{ forgotten: number }[]>`CALL forget_keys(${olderThanMs}, ${most})`.execute(db);
  return rows[0]![0]!.forgotten;
}

/**
 * After an unknown outcome the same may be asked again, where doing it twice comes to the same as once. If nobody answers
 * then either, the outcome is as unknown as before.
 */
async function onceMoreIfUnknown<T>(statement: () => Promise<T>): Promise<T> {
  try {
    return await statement();
  } catch (error) {
    if (!(error instanceof DatabaseError) || error.fault !== 'unknown') throw error;
    return statement().catch(() => {
      throw error;
    });
  }
}

async function besideForeignClients<T>(db: Database, create: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await create();
    } catch (error) {
      if (!isDuplicateKey(error) || tries === CREATE_TRIES) throw error;
      // A client that inserts the id it read, and raises the counter afterwards, got there first. If the counter does
      // not follow soon, nobody but us will mend it.
      if (tries > 2) await sql`CALL raise_counter()`.execute(db);
      else await sleep(5 + Math.random() * 20);
    }
  }
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

export interface Fill extends Claim {
  valor: string;
}

/**
 * processing -> filled, for each claim that still holds: same consumer, same attempt, lease not over, still empty.
 * Resolves to the ids that were filled; a missing one was a lost claim and is unchanged. A value is 1 to 255 characters
 * of well-formed text.
 */
export async function fillEvents(db: Database, claimedBy: string, fills: readonly Fill[]): Promise<Set<number>> {
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
  const { numAffectedRows } = await onceMoreIfUnknown(fill);
  if (Number(numAffectedRows) === fills.length) return new Set(fills.map(({ id }) => id));

  const ours = await sql<{ id: number }>`
    SELECT Events.id
    FROM JSON_TABLE(${list}, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$[0]', attempt INT UNSIGNED PATH '$[1]')) AS made
    STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = made.id
    WHERE Events.claimed_by = ${claimedBy} AND Events.attempts = made.attempt AND Events.valor <> ''`.execute(db);
  return new Set(ours.rows.map(({ id }) => id));
}

/**
 * processing -> processing, until `leaseMs` from now: for a holder that needs longer. Resolves to how many were still
 * held; the others were lost and are unchanged.
 */
export async function renewEvents(
  db: Database,
  claimedBy: string,
  claims: readonly Claim[],
  leaseMs: number,
): Promise<number> {
  const list = JSON.stringify(claims.map(({ id, attempt }) => [id, attempt]));
  const { numAffectedRows } = await sql`
    UPDATE JSON_TABLE(${list}, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$[0]', attempt INT UNSIGNED PATH '$[1]')) AS held
    STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = held.id
    SET Events.due_at = NOW(3) + INTERVAL ${leaseMs * 1_000} MICROSECOND
    WHERE Events.open = 1 AND Events.claimed_by = ${claimedBy} AND Events.attempts = held.attempt
      AND Events.due_at > NOW(3)`.execute(db);
  return Number(numAffectedRows);
}

/**
 * processing -> pending, untouched: due at once, and the attempt does not count. For claims that were never worked on.
 * Returns how many were still held; the others were lost, or their lease is over, which comes to the same.
 */
export async function releaseEvents(db: Database, claimedBy: string, claims: readonly Claim[]): Promise<number> {
  const list = JSON.stringify(claims.map(({ id, attempt }) => [id, attempt]));
  const { numAffectedRows } = await sql`
    UPDATE JSON_TABLE(${list}, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$[0]', attempt INT UNSIGNED PATH '$[1]')) AS held
    STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = held.id
    SET Events.processing = 0, Events.claimed_by = NULL, Events.attempts = Events.attempts - 1, Events.due_at = NOW(3)
    WHERE Events.open = 1 AND Events.claimed_by = ${claimedBy} AND Events.attempts = held.attempt
      AND Events.due_at > NOW(3)`.execute(db);
  return Number(numAffectedRows);
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
  claimedBy: string,
  failures: readonly Failure[],
  { maxAttempts, firstDelayMs, maxDelayMs }: RetryPolicy,
): Promise<number> {
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
  return Number(numAffectedRows);
}

/** dead -> pending, due at once, with all its attempts before it again. Resolves to those of the ids that were dead. */
export async function reviveEvents(db: Database, ids: readonly number[]): Promise<Set<number>> {
  const { rows } = await sql<{ revived: string | null }[]>`CALL revive_events(${JSON.stringify(ids)})`.execute(db);
  return new Set(JSON.parse(rows[0]![0]!.revived ?? '[]') as number[]);
}

/**
 * dead -> pending, for all that are dead, in batches. Resolves to how many. After an error part of them is revived, and
 * it may be called again.
 */
export async function reviveAllDead(db: Database): Promise<number> {
  let revived = 0;
  for (let after = 0; ; ) {
    const ids = (await listDead(db, REVIVE_BATCH, after)).map(({ id }) => id);
    if (ids.length === 0) return revived;
    revived += (await reviveEvents(db, ids)).size;
    after = ids.at(-1)!;
  }
}

/** Whether one of these routines of init.sql is missing; without EXECUTE on it, it cannot be seen. */
export async function isRoutineMissing(db: Database, names: readonly string[]): Promise<boolean> {
  const { rows } = await sql`
    SELECT 1 FROM information_schema.ROUTINES
    WHERE ROUTINE_SCHEMA = DATABASE() AND ROUTINE_NAME IN (${sql.join(names)})`.execute(db);
  return rows.length < names.length;
}

/**
 * Whether the row of DBStatus could be locked past SKIP LOCKED. If so the lock is held for `holdMs`; from `since` until
 * `until`, in seconds by the database's clock.
 */
export async function tryLock(
  db: Database,
  holdMs: number,
): Promise<{ locked: boolean; since: number; until: number }> {
  const { rows } = await sql<{ locked: number; since: number; until: number }[]>`CALL try_lock(${holdMs})`.execute(db);
  const { locked, since, until } = rows[0]![0]!;
  return { locked: locked === 1, since, until };
}

/** The server's version and what else decides how far our guarantees hold, by the server's own names. */
export async function readServerVariables(db: Database): Promise<Record<string, string>> {
  const { rows } = await sql<{ Variable_name: string; Value: string }>`
    SHOW SESSION VARIABLES WHERE Variable_name IN (
      'version', 'transaction_isolation', 'tx_isolation', 'log_bin', 'sync_binlog', 'innodb_flush_log_at_trx_commit'
    )`.execute(db);
  return Object.fromEntries(rows.map(({ Variable_name, Value }) => [Variable_name, Value]));
}

/** How many events were ever created. */
export async function countEvents(db: Database): Promise<number> {
  return (await db.selectFrom('DBStatus').select('id').executeTakeFirstOrThrow()).id;
}

/** One event as a caller sees it, or undefined. An event whose lease is over is pending: anyone may claim it. */
export async function findEvent(db: Database, id: number): Promise<EventView | undefined> {
  const row = await db
    .selectFrom('Events')
    .select(['id', 'valor', 'due_at', IS_HELD])
    .where('id', '=', id)
    .executeTakeFirst();
  return row && toView(row);
}

/** One event as an operator sees it, or undefined. */
export async function showEvent(db: Database, id: number): Promise<EventDetails | undefined> {
  const row = await db.selectFrom('Events').selectAll().select(IS_HELD).where('id', '=', id).executeTakeFirst();
  return row && toDetails(row);
}

/** At most `most` dead events with an id above `after`, by id. Reads no more rows than that, however many are filled. */
export async function listDead(db: Database, most: number, after = 0): Promise<EventDetails[]> {
  // Dead rows are the only ones of the claim's index in which both columns are NULL, and stand there by id.
  const { rows } = await sql<Selectable<EventsTable> & { held: number }>`
    SELECT Events.*, 0 AS held FROM Events FORCE INDEX (claim)
    WHERE open IS NULL AND due_at IS NULL AND id > ${after} AND (valor IS NULL OR valor = '')
    ORDER BY id LIMIT ${sql.lit(most)}`.execute(db);
  return rows.map(toDetails);
}

const IS_HELD = sql<number>`processing = 1 AND due_at > NOW(3)`.as('held');

type ViewRow = Pick<Selectable<EventsTable>, 'id' | 'valor' | 'due_at'> & { held: number };

function toView({ id, valor, due_at, held }: ViewRow): EventView {
  if (valor) return { id, valor, status: 'filled' };
  if (due_at === null) return { id, valor: null, status: 'dead' };
  return { id, valor: null, status: held ? 'processing' : 'pending' };
}

function toDetails(row: Selectable<EventsTable> & { held: number }): EventDetails {
  const { attempts, claimed_by, due_at, created_at, filled_at, last_error } = row;
  return {
    ...toView(row),
    attempts,
    claimedBy: claimed_by,
    dueAt: due_at,
    createdAt: created_at,
    filledAt: filled_at,
    lastError: last_error,
  };
}

/** Which of these events are filled or dead by now, in one query whatever their number. */
export async function findSettledEvents(db: Database, ids: readonly number[]): Promise<SettledEvent[]> {
  const { rows } = await sql<{ id: number; valor: string | null }>`
    SELECT Events.id, Events.valor
    FROM JSON_TABLE(${JSON.stringify(ids)}, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS waiting
    STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = waiting.id
    WHERE Events.open IS NULL`.execute(db);
  return rows.map(({ id, valor }) => (valor ? { id, valor, status: 'filled' } : { id, valor: null, status: 'dead' }));
}
