import { type RawBuilder, sql } from 'kysely';
import type { Database } from '../connect.ts';
import type { Claim } from './claim.ts';

/** Whose claims, and what is to be written of each into a column of text. */
export interface Fenced {
  claimedBy: string;
  claims: readonly (Claim & { text?: string })[];
}

export interface Written {
  written: number;
  /** Unless all were written: which events these claims still hold, or have filled. */
  ours: { id: number; isFilled: 0 | 1; due_at: Date }[];
}

/**
 * Sets columns of those events whose claim still holds: same consumer, same attempt, still empty, lease not over. A row that
 * another connection has locked is passed over, and not waited for.
 */
export async function writeFenced(
  db: Database,
  { claimedBy, claims }: Fenced,
  { set, where = sql`TRUE` }: { set: RawBuilder<unknown>; where?: RawBuilder<unknown> },
): Promise<Written> {
  // FORCE INDEX: a small table would be read whole, with a wait for rows that others hold. LIMIT: without it MySQL merges the
  // inner query into the outer one, which waits. MariaDB knows no OF.
  const { numAffectedRows } = await sql`
    UPDATE (
      SELECT Events.id, given.text FROM ${given(claims)}
      STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = given.id
      WHERE Events.open = 1 AND Events.claimed_by = ${claimedBy} AND Events.attempts = given.attempt
        AND Events.due_at > NOW(3) AND ${where}
      LIMIT ${sql.lit(claims.length)} FOR UPDATE /*!80000 OF Events */ SKIP LOCKED
    ) AS held
    STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = held.id
    SET ${set}`.execute(db);
  const written = Number(numAffectedRows);
  return { written, ours: written === claims.length ? [] : await findOurs(db, { claimedBy, claims }) };
}

/** Locks nothing. */
async function findOurs(db: Database, { claimedBy, claims }: Fenced): Promise<Written['ours']> {
  const { rows } = await sql<Written['ours'][number]>`
    SELECT Events.id, Events.open IS NULL AS isFilled, Events.due_at FROM ${given(claims)}
    STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = given.id
    WHERE Events.claimed_by = ${claimedBy} AND Events.attempts = given.attempt
      AND (Events.valor <> '' OR Events.open = 1 AND Events.due_at > NOW(3))`.execute(db);
  return rows;
}

function given(claims: Fenced['claims']): RawBuilder<unknown> {
  const list = JSON.stringify(claims.map(({ id, attempt, text }) => [id, attempt, text]));
  return sql`JSON_TABLE(${list}, '$[*]' COLUMNS (
    id BIGINT UNSIGNED PATH '$[0]', attempt INT UNSIGNED PATH '$[1]', text VARCHAR(255) PATH '$[2]'
  )) AS given`;
}
