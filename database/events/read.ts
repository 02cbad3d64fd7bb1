import { type Selectable, sql } from 'kysely';
import type { Database } from '../connect.ts';
import type { EventsTable } from '../schema.ts';
import type { FilledEvent } from './notices.ts';
import { readValue, type Value } from './value.ts';

export interface EventView {
  id: number;
  kind: string;
  /** The text of a word, or the JSON of another kind; null until it is filled. */
  valor: string | null;
  /** What is wrong with its value. */
  problem?: string;
  status: 'pending' | 'processing' | 'filled' | 'dead';
}

/** An event that nobody will work on any more; `gone`: somebody deleted its row. */
export type SettledEvent =
  | ({ id: number; kind: string; status: 'filled' } & Value)
  /** With the reason that its handler gave for whoever waits. */
  | { id: number; kind: string; valor: null; status: 'dead'; deadReason: string | null }
  | { id: number; valor: null; status: 'gone' };

/** How many events were ever created. */
export async function countEvents(db: Database): Promise<number> {
  return (await db.selectFrom('DBStatus').select('id').executeTakeFirstOrThrow()).id;
}

/** One event as a caller sees it, or undefined. An event whose lease is over is pending: anyone may claim it. */
export async function findEvent(db: Database, id: number): Promise<EventView | undefined> {
  const row = await db
    .selectFrom('Events')
    .innerJoin('Kinds', 'Kinds.id', 'Events.kind')
    .select(['Events.id', 'Kinds.name as kindName', 'valor', 'due_at', IS_HELD])
    .where('Events.id', '=', id)
    .executeTakeFirst();
  return row && toView(row);
}

/** Which of these events are filled, dead or gone by now, in one query whatever their number. */
export async function findSettledEvents(db: Database, ids: readonly number[]): Promise<SettledEvent[]> {
  const { rows } = await sql<{ id: number; name: string | null; valor: string | null; dead_reason: string | null }>`
    SELECT waiting.id, Kinds.name, Events.valor, Events.dead_reason
    FROM JSON_TABLE(${JSON.stringify(ids)}, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS waiting
    LEFT JOIN Events FORCE INDEX (PRIMARY) ON Events.id = waiting.id
    LEFT JOIN Kinds ON Kinds.id = Events.kind
    WHERE Events.open IS NULL`.execute(db);
  return rows.map(({ id, name, valor, dead_reason }) => {
    if (name === null) return { id, valor: null, status: 'gone' };
    if (valor) return toFilled({ id, kind: name, valor });
    return { id, kind: name, valor: null, status: 'dead', deadReason: dead_reason };
  });
}

export function toFilled({ id, kind, valor }: FilledEvent): SettledEvent {
  return { id, kind, ...readValue(kind, valor), status: 'filled' };
}

export const IS_HELD = sql<number>`processing = 1 AND lease_until > UTC_TIMESTAMP(3)`.as('held');

export type ViewRow = Pick<Selectable<EventsTable>, 'id' | 'valor' | 'due_at'> & { kindName: string; held: number };

export function toView({ id, kindName, valor, due_at, held }: ViewRow): EventView {
  const status = valor ? 'filled' : due_at === null ? 'dead' : held ? 'processing' : 'pending';
  return { id, kind: kindName, ...(valor ? readValue(kindName, valor) : { valor: null }), status };
}
