import { type Selectable, sql } from 'kysely';
import type { Database } from '../connect.ts';
import type { EventsTable } from '../schema.ts';
import { type EventView, IS_HELD, toView } from './read.ts';
import { readPayload } from './value.ts';

/** All that a person asks about an event. */
export interface EventDetails extends EventView {
  /** Events of the same key are worked on one at a time. */
  key: string | null;
  /** How often it was claimed. */
  attempts: number;
  /** Failed attempts and lost leases. */
  failures: number;
  /** How often its handler said `later`. */
  waits: number;
  /** Who holds it or filled it. */
  claimedBy: string | null;
  /** From when on it may be claimed; null for a dead one: never. */
  dueAt: Date | null;
  /** Until when it is held; null if it is not. */
  leaseUntil: Date | null;
  createdAt: Date;
  filledAt: Date | null;
  lastError: string | null;
}

/** Payloads are large, and not in lists. */
export interface ShownEvent extends EventDetails {
  /** The JSON that its creator gave, as it was sent. */
  payload: string | null;
}

const REVIVE_BATCH = 1_000;

export interface DeadPage {
  limit: number;
  /** Only events with a larger id. @default 0 */
  after?: number;
}

/** At most `limit` dead events, by id. Reads no more rows than that of each kind, however many are filled. */
export async function listDead(db: Database, { limit, after = 0 }: DeadPage): Promise<EventDetails[]> {
  const kinds = await db.selectFrom('Kinds').select('id').execute();
  // Dead rows are the only ones of the claim's index in which both columns are NULL, and stand there by id.
  const pages = kinds.map(
    ({ id }) => sql`(
      SELECT id FROM Events FORCE INDEX (claim)
      WHERE kind = ${id} AND open IS NULL AND due_at IS NULL AND id > ${after} AND (valor IS NULL OR valor = '')
      ORDER BY id LIMIT ${sql.lit(limit)})`,
  );
  const { rows } = await sql<DetailsRow>`
    SELECT Events.*, Kinds.name AS kindName, EventPayloads.event_key, 0 AS held
    FROM (${sql.join(pages, sql` UNION ALL `)} ORDER BY id LIMIT ${sql.lit(limit)}) AS dead
    STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = dead.id
    STRAIGHT_JOIN Kinds ON Kinds.id = Events.kind
    LEFT JOIN EventPayloads ON EventPayloads.id = Events.id
    ORDER BY Events.id`.execute(db);
  return rows.map(toDetails);
}

/** One event as an operator sees it, or undefined. */
export async function showEvent(db: Database, id: number): Promise<ShownEvent | undefined> {
  const row = await db
    .selectFrom('Events')
    .innerJoin('Kinds', 'Kinds.id', 'Events.kind')
    .leftJoin('EventPayloads', 'EventPayloads.id', 'Events.id')
    .selectAll('Events')
    .select(['Kinds.name as kindName', 'event_key', 'payload', IS_HELD])
    .where('Events.id', '=', id)
    .executeTakeFirst();
  return row && { ...toDetails(row), ...readPayload(row.payload) };
}

export interface ReviveOptions {
  /** Revive also those of which a later event of the same key is filled or deleted. @default false */
  outOfOrder?: boolean;
}

export interface Revived<T> {
  revived: T;
  /** Left out: still dead, since a later event of the same key is filled or deleted. */
  outOfOrder: T;
}

/**
 * dead -> pending, due at once, with all its attempts before it; one with a key goes before those that wait. Ids that are in
 * neither answer were not dead, or are locked by another connection.
 */
export async function reviveEvents(
  db: Database,
  ids: readonly number[],
  { outOfOrder = false }: ReviveOptions = {},
): Promise<Revived<Set<number>>> {
  const { rows } = await sql<ReviveRow[]>`CALL revive_events(${JSON.stringify(ids)}, ${outOfOrder})`.execute(db);
  const { revived, out_of_order } = rows[0]![0]!;
  return { revived: toIds(revived), outOfOrder: toIds(out_of_order) };
}

type ReviveRow = { revived: string | null; out_of_order: string | null };

function toIds(list: string | null): Set<number> {
  return new Set(JSON.parse(list ?? '[]') as number[]);
}

/**
 * dead -> pending, for all that are dead, in batches. Resolves to how many. After an error part of them is revived, and
 * it may be called again.
 */
export async function reviveAllDead(db: Database, options: ReviveOptions = {}): Promise<Revived<number>> {
  const total = { revived: 0, outOfOrder: 0 };
  for (let after = 0; ; ) {
    const ids = (await listDead(db, { limit: REVIVE_BATCH, after })).map(({ id }) => id);
    if (ids.length === 0) return total;
    const { revived, outOfOrder } = await reviveEvents(db, ids, options);
    total.revived += revived.size;
    total.outOfOrder += outOfOrder.size;
    after = ids.at(-1)!;
  }
}

type DetailsRow = Selectable<EventsTable> & { kindName: string; event_key: string | null; held: number };

function toDetails(row: DetailsRow): EventDetails {
  const { event_key, attempts, failures, waits, claimed_by, due_at, lease_until, created_at, filled_at, last_error } =
    row;
  return {
    ...toView(row),
    key: event_key,
    attempts,
    failures,
    waits,
    claimedBy: claimed_by || null,
    dueAt: due_at,
    leaseUntil: row.held ? lease_until : null,
    createdAt: created_at,
    filledAt: filled_at,
    lastError: last_error,
  };
}
