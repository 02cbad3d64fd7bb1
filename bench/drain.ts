import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Database } from '../database/connect.ts';
import { createEvents, type NewEvent } from '../database/events/create.ts';
import type { BenchProcess } from './bench-process.ts';
import type { ProcessorCost } from './processor-cost.ts';

/** Enough to compile what is run often, before the first round counts. */
const WARM_UP_EVENTS = 10_000;

const CREATE_BATCH = 10_000;
const LOOK_EVERY_MS = 20;
const LIMIT_MS = 120_000;

/** A statement that is under way when its consumer is frozen must not be given up when it goes on. */
export const FROZEN_FOR_LONG = { DATABASE_TIMEOUT_MS: '600000' };

/** Who works off a backlog of which events, and where. */
export interface Drain {
  db: Database;
  consumers: readonly BenchProcess[];
  /** @default 'word' */
  kind?: string;
  /** What a fill costs is noted there. @default nowhere */
  cost?: ProcessorCost;
}

/**
 * How many events per second these consumers fill: they stand still while so many are created, and then go on, warm and
 * connected. From then until the last is filled, by the database's clock. Afterwards they stand still again.
 */
export async function drain({ db, consumers, kind, cost }: Drain, events: number): Promise<number> {
  const before = await newestId(db);
  const event: NewEvent = kind === undefined ? {} : { kind };
  for (let left = events; left > 0; left -= CREATE_BATCH) {
    await createEvents(
      db,
      Array.from({ length: Math.min(left, CREATE_BATCH) }, () => event),
    );
  }
  const endCost = cost?.begin();
  const { rows } = await sql<{ now: string }>`SELECT CAST(NOW(3) AS CHAR) AS now`.execute(db);
  for (const consumer of consumers) consumer.thaw();
  const giveUpAt = performance.now() + LIMIT_MS;
  while (await isOpen(db, before)) {
    if (performance.now() > giveUpAt) throw new Error(`${events} events were not filled within ${LIMIT_MS / 1_000} s`);
    await sleep(LOOK_EVERY_MS);
  }
  for (const consumer of consumers) consumer.freeze();
  endCost?.(events);
  return events / (await secondsToLastFill(db, before, rows[0]!.now));
}

/** A side for `interleave`; what a fill costs is noted in the rounds that count. */
export function drainingSide({ cost, ...warming }: Drain, events: number) {
  return (isWarmUp: boolean): Promise<number> =>
    isWarmUp ? drain(warming, WARM_UP_EVENTS) : drain({ ...warming, ...(cost && { cost }) }, events);
}

async function newestId(db: Database): Promise<number> {
  return (await db.selectFrom('DBStatus').select('id').executeTakeFirstOrThrow()).id;
}

/** From the newest on, for that is filled last: the rest of the table is read only when nearly all is filled. */
async function isOpen(db: Database, after: number): Promise<boolean> {
  const { rows } = await sql`
    SELECT id FROM Events FORCE INDEX (PRIMARY) WHERE id > ${after} AND open = 1
    ORDER BY id DESC LIMIT 1`.execute(db);
  return rows.length > 0;
}

async function secondsToLastFill(db: Database, after: number, since: string): Promise<number> {
  const { rows } = await sql<{ seconds: string }>`
    SELECT TIMESTAMPDIFF(MICROSECOND, ${since}, MAX(filled_at)) / 1000000 AS seconds
    FROM Events WHERE id > ${after}`.execute(db);
  return Number(rows[0]!.seconds);
}
