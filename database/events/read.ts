import { type Selectable, sql } from 'kysely';
import type { Database } from '../connect.ts';
import type { EventsTable } from '../schema.ts';

export interface EventView {
  id: number;
  valor: string | null;
  status: 'pending' | 'processing' | 'filled' | 'dead';
}

/** An event that nobody will work on any more; `gone`: somebody deleted its row. `valor` is the word of a filled one. */
export type SettledEvent =
  | { id: number; valor: string; status: 'filled' }
  | { id: number; valor: null; status: 'dead' }
  | { id: number; valor: null; status: 'gone' };

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

/** Which of these events are filled, dead or gone by now, in one query whatever their number. */
export async function findSettledEvents(db: Database, ids: readonly number[]): Promise<SettledEvent[]> {
  const { rows } = await sql<{ id: number; found: number | null; valor: string | null }>`
    SELECT waiting.id, Events.id AS found, Events.valor
    FROM JSON_TABLE(${JSON.stringify(ids)}, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS waiting
    LEFT JOIN Events FORCE INDEX (PRIMARY) ON Events.id = waiting.id
    WHERE Events.open IS NULL`.execute(db);
  return rows.map(({ id, found, valor }) => {
    if (valor) return { id, valor, status: 'filled' };
    return { id, valor: null, status: found === null ? 'gone' : 'dead' };
  });
}

export const IS_HELD = sql<number>`processing = 1 AND due_at > NOW(3)`.as('held');

export type ViewRow = Pick<Selectable<EventsTable>, 'id' | 'valor' | 'due_at'> & { held: number };

export function toView({ id, valor, due_at, held }: ViewRow): EventView {
  if (valor) return { id, valor, status: 'filled' };
  if (due_at === null) return { id, valor: null, status: 'dead' };
  return { id, valor: null, status: held ? 'processing' : 'pending' };
}
