import { sql } from 'kysely';
import type { Database } from '../connect.ts';
import { storable } from './storable.ts';

/** The log of attempts: docs/handlers.md, "The log". A line is written in the statement or transaction of what it tells. */

/** How an attempt ended; `dead`: with it the event was given up. `lost`: its consumer died. */
export type LogOutcome = 'filled' | 'failed' | 'dead' | 'later' | 'lost';

/** An attempt that has ended, for its line. */
export interface Attempt {
  outcome: Exclude<LogOutcome, 'lost'>;
  /** By performance.now(). */
  startedAt: number;
  /** Of which 255 characters are kept. */
  text?: string | undefined;
  /** What the line can be searched by; of it as many. */
  key?: string | undefined;
}

export function toLogLine({ outcome, startedAt, text, key }: Attempt): unknown[] {
  // A duration, so that only the database's clock says when.
  const ms = Math.max(0, Math.round(performance.now() - startedAt));
  return [outcome, ms, text === undefined ? null : storable(text), key === undefined ? null : storable(key)];
}

/** What the log says of one attempt. */
export interface LogLine {
  /** Later lines have larger numbers, with gaps. */
  line: number;
  /** Of the event. */
  id: number;
  /** Null if somebody has deleted the event. */
  kind: string | null;
  /** Which claim of the event it was, from 1. */
  attempt: number;
  /** Null if it is not known, since its consumer died. */
  startedAt: Date | null;
  /** When its outcome was written; when its lease was over, if its consumer died. */
  endedAt: Date;
  consumer: string;
  outcome: LogOutcome;
  /** Why it failed, or the beginning of its value. */
  text: string | null;
  /** What its handler has lines searched by. */
  key: string | null;
}

export interface LogSearch {
  /** Only lines of this event. @default of all events */
  id?: number | undefined;
  /** Only lines of events that have a line with this key. @default of all events */
  key?: string | undefined;
  /** Only lines with a smaller number. @default no limit */
  before?: number | undefined;
  /** The last so many. @default 100 */
  limit?: number | undefined;
}

/**
 * What became of attempts: the last lines that fit, oldest first. A handler's `log` and `logKey` say what is written.
 *
 * @example for (const { outcome, text } of await searchLog(db, { key: 'order-17' })) console.log(outcome, text);
 */
export async function searchLog(
  db: Database,
  { id, key, before = Number.MAX_SAFE_INTEGER, limit = 100 }: LogSearch = {},
): Promise<LogLine[]> {
  const ofEvent = id === undefined ? sql`` : sql`AND EventLog.id = ${id}`;
  // From the index of keys to the lines of their events, whatever the server thinks of the two.
  const found =
    key === undefined
      ? sql`EventLog`
      : sql`(SELECT DISTINCT id FROM EventLog FORCE INDEX (by_log_key) WHERE log_key = ${storable(key)}) AS keyed
    STRAIGHT_JOIN EventLog FORCE INDEX (by_event) ON EventLog.id = keyed.id`;
  const { rows } = await sql<LogLine>`
    SELECT line, EventLog.id, Kinds.name AS kind, attempt, started_at AS startedAt, ended_at AS endedAt, consumer, outcome,
      text, log_key AS \`key\`
    FROM ${found}
    LEFT JOIN Events ON Events.id = EventLog.id
    LEFT JOIN Kinds ON Kinds.id = Events.kind
    WHERE line < ${before} ${ofEvent}
    ORDER BY line DESC LIMIT ${sql.lit(limit)}`.execute(db);
  return rows.toReversed();
}

/** Forgets up to `limit` of the oldest lines that are older than this. Resolves to how many. */
export async function forgetLog(
  db: Database,
  { olderThanMs, limit }: { olderThanMs: number; limit: number },
): Promise<number> {
  const { rows } = await sql<{ forgotten: number }[]>`CALL forget_log(${olderThanMs}, ${limit})`.execute(db);
  return rows[0]![0]!.forgotten;
}
