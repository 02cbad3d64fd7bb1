import { sql } from 'kysely';
import type { Database } from '../connect.ts';
import { DatabaseError } from '../database-error.ts';
import type { UserTransaction } from '../transaction-session.ts';
import { besideForeignClients, encodePayload, type NewEvent } from './create.ts';
import { LARGEST_PAYLOAD_LIMIT } from './limits.ts';
import { checkNew, payloadIn, toNewEvent } from './new-event.ts';
import { newEventSchema } from './new-event-schema.ts';
import { noticesFor } from './notices.ts';
import { repeatIfUnknown } from './repeat-if-unknown.ts';

/** Events that somebody wrote in a transaction of his own, beside what they are about: docs/design.md, "The outbox". */

/** A row of the outbox that cannot become an event. */
export interface OutboxProblem {
  id: number;
  problem: string;
  /** The beginning of what it says. */
  event: string;
}

interface NamedEvent extends NewEvent {
  outboxId: number;
}

const MOVE_LIMIT = 1_000;
const BYTES_LIMIT = 8_000_000;
// Its payload, and room for its other members.
const ROW_LIMIT = LARGEST_PAYLOAD_LIMIT + 4_096;
const PROBLEM_LENGTH = 255;

/** Writes events, given as JSON, to the outbox within the transaction `trx`. */
export async function insertIntoOutbox(trx: UserTransaction, events: readonly string[]): Promise<void> {
  const rows = events.map((event) => sql`(${event})`);
  await sql`INSERT INTO Outbox (event) VALUES ${sql.join(rows)}`.execute(trx);
}

export interface MovedOutbox {
  /** How many events were created. */
  moved: number;
  /** Rows that no event can be made of; they stay, and are passed over from now on. */
  putAside: OutboxProblem[];
  /** Whether more may be moved at once. False if all that is left is locked by others. */
  isFull: boolean;
}

/**
 * outbox -> pending: creates events of what is committed in the outbox, in the order of its ids, each once, and waits for no
 * open transaction. Any number may do so at once.
 */
export async function moveOutbox(db: Database): Promise<MovedOutbox> {
  const rows = await readOutbox(db);
  const putAside: OutboxProblem[] = [];
  const events = rows.flatMap((row) => {
    try {
      return [toNamedEvent(row)];
    } catch (error) {
      putAside.push(problemOf(row, error));
      return [];
    }
  });
  const moved = await move(db, events, (event, error) => {
    putAside.push(problemOf(rows.find(({ id }) => id === event.outboxId)!, error));
  });
  for (const { id, problem } of putAside) await sql`CALL put_outbox_aside(${id}, ${problem})`.execute(db);
  if (moved > 0) noticesFor(db).emit('created');
  const bytes = rows.reduce((sum, row) => sum + row.bytes, 0);
  const wasCut = rows.length === MOVE_LIMIT || bytes >= BYTES_LIMIT;
  return { moved, putAside, isFull: wasCut && moved + putAside.length > 0 };
}

interface OutboxRow {
  id: number;
  /** NULL if it is too long to be looked at. */
  event: string | null;
  start: string;
  bytes: number;
}

async function readOutbox(db: Database): Promise<OutboxRow[]> {
  const { rows } = await sql<OutboxRow>`
    SELECT id, IF(bytes <= ${ROW_LIMIT}, event, NULL) AS event, LEFT(event, 80) AS start, bytes FROM (
      SELECT id, event, OCTET_LENGTH(event) AS bytes, SUM(OCTET_LENGTH(event)) OVER (ORDER BY id) AS bytes_until_here FROM (
        SELECT id, event FROM Outbox FORCE INDEX (to_move) WHERE problem IS NULL ORDER BY id LIMIT ${sql.lit(MOVE_LIMIT)}
      ) AS oldest
    ) AS summed
    WHERE bytes_until_here - bytes < ${BYTES_LIMIT} ORDER BY id`.execute(db);
  return rows;
}

function toNamedEvent({ id, event: text, bytes }: OutboxRow): NamedEvent {
  if (text === null) throw new Error(`It has ${bytes} bytes, and at most ${ROW_LIMIT} are accepted.`);
  const event = checkNew(newEventSchema, JSON.parse(text), 'The event');
  return { outboxId: id, ...toNewEvent(event, payloadIn(text, event), { payloadLimit: LARGEST_PAYLOAD_LIMIT }) };
}

function problemOf({ id, start }: OutboxRow, error: unknown): OutboxProblem {
  return { id, problem: (error as Error).message.slice(0, PROBLEM_LENGTH).toWellFormed(), event: start };
}

/** Resolves to how many. What the database refuses for good is looked for by halves, and keeps no other from being moved. */
async function move(
  db: Database,
  events: readonly NamedEvent[],
  refuse: (event: NamedEvent, error: DatabaseError) => void,
): Promise<number> {
  if (events.length === 0) return 0;
  try {
    return await send(db, events);
  } catch (error) {
    if (!(error instanceof DatabaseError && (error.fault === 'permanent' || error.fault === 'refused'))) throw error;
    if (events.length === 1) {
      refuse(events[0]!, error);
      return 0;
    }
    const half = Math.ceil(events.length / 2);
    return (await move(db, events.slice(0, half), refuse)) + (await move(db, events.slice(half), refuse));
  }
}

/** Sent twice it creates nothing twice: then the rows are gone. */
function send(db: Database, events: readonly NamedEvent[]): Promise<number> {
  const list = JSON.stringify(events.map(encodePayload));
  return repeatIfUnknown(() =>
    besideForeignClients(db, async () => {
      const { rows } = await sql<{ moved: number }[]>`CALL move_outbox(${list})`.execute(db);
      return rows[0]![0]!.moved;
    }),
  );
}

/** Moves nothing, in the ways that `moveOutbox` does. */
export async function checkOutbox(db: Database): Promise<void> {
  await sql`SELECT id FROM Outbox LIMIT 0`.execute(db);
  await sql`CALL move_outbox('[]')`.execute(db);
  await sql`CALL put_outbox_aside(0, '')`.execute(db);
}

/** What stands in the outbox: how many rows wait to be moved, how many were put aside, and the first of those. */
export async function showOutbox(db: Database, { limit }: { limit: number }) {
  const [{ waiting, aside }] = (
    await sql<{ waiting: number; aside: number }>`
      SELECT COUNT(*) - COUNT(problem) AS waiting, COUNT(problem) AS aside FROM Outbox`.execute(db)
  ).rows as [{ waiting: number; aside: number }];
  const { rows: problems } = await sql<OutboxProblem>`
    SELECT id, problem, LEFT(event, 80) AS event FROM Outbox WHERE problem IS NOT NULL ORDER BY id LIMIT ${sql.lit(limit)}`.execute(
    db,
  );
  return { waiting, aside, problems };
}
