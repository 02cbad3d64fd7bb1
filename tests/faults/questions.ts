import { type RawBuilder, sql } from 'kysely';
import type { Database } from '../../database/connect.ts';
import { readChanges } from './audit.ts';
import { isCreate, type Operation } from './ledger.ts';
import type { Part } from './part.ts';

/** What rows ask the database about the events of a run. */
export async function idsWhere(db: Database, condition: RawBuilder<unknown>): Promise<number[]> {
  const { rows } = await sql<{ id: number }>`SELECT id FROM Events WHERE ${condition} ORDER BY id`.execute(db);
  return rows.map(({ id }) => id);
}

/** Held under a claim of this consumer, in any of its lives. */
export function heldBy({ name }: Part): RawBuilder<unknown> {
  return sql`open = 1 AND processing = 1 AND claimed_by LIKE ${`${name}.%`}`;
}

export async function areFilled(db: Database, ids: readonly number[]): Promise<boolean> {
  if (ids.length === 0) return true;
  return (await idsWhere(db, sql`open = 1 AND id IN (${sql.join(ids)})`)).length === 0;
}

/** The longest time without an acknowledged create between two moments, in ms. */
export function longestGap(operations: readonly Operation[], from: number, until: number): number {
  const acknowledged = operations.filter((operation) => isCreate(operation) && operation.outcome === 'ok');
  return longestBetween(
    acknowledged.map(({ answeredAt }) => answeredAt!),
    from,
    until,
  );
}

/** The longest time between two moments in which no event was filled, in ms. */
export async function longestWithoutFill(db: Database, from: number, until: number): Promise<number> {
  const fills = (await readChanges(db)).filter(({ what }) => what === 'filled');
  return longestBetween(
    fills.map(({ at }) => at - performance.timeOrigin),
    from,
    until,
  );
}

function longestBetween(moments: readonly number[], from: number, until: number): number {
  const times = moments.filter((time) => time > from && time < until).toSorted((a, b) => a - b);
  return [...times, until].reduce(({ gap, last }, time) => ({ gap: Math.max(gap, time - last), last: time }), {
    gap: 0,
    last: from,
  }).gap;
}
