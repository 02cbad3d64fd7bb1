import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Database } from '../connect.ts';
import { isDuplicateKey } from '../database-error.ts';
import { noticesFor } from './notices.ts';
import { repeatIfUnknown } from './repeat-if-unknown.ts';

/** What a caller may say of an event that it creates; limits.ts says how much. */
export interface NewEvent {
  /** It exists from its first use. @default 'word' */
  kind?: string;
  /** A text of JSON. It is kept as it is, digit for digit. */
  payload?: string;
  /** Events with the same key are worked on one at a time, in the order of their ids. */
  key?: string;
  /** How long it is not due. @default 0 */
  delayMs?: number;
  /** The W3C traceparent and tracestate of who creates it, as `toTraceText` makes it. */
  trace?: string;
}

// Foreign clients may set the counter back as soon as it is mended, so once or twice is not enough.
const CREATE_TRIES = 10;

/**
 * (nothing) -> pending. Creates all events in one transaction and resolves to the id of the first; the others follow
 * without a gap. When it resolves, they are committed. Rejects with the fault `unknown` if that cannot be known.
 */
export function createEvents(db: Database, events: readonly NewEvent[]): Promise<number> {
  const list = JSON.stringify(events.some(hasPayload) ? events.map(encodePayload) : events);
  return besideForeignClients(db, async () => {
    const { rows } = await sql<{ first_id: number }[]>`CALL create_events(${list})`.execute(db);
    noticesFor(db).emit('created', events);
    return rows[0]![0]!.first_id;
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
 * (nothing) -> pending, for each key that was not used before. Resolves to what each key stands for, now or from an earlier
 * call; all is committed. Each key may be given once. After an unknown outcome it asks again.
 */
export async function createEventsOnce(
  db: Database,
  requests: readonly KeyedCreate[],
): Promise<Map<string, CreatedOnce>> {
  const isPlain = requests.every(({ events }) => events.every(saysNothing));
  const list = JSON.stringify(
    requests.map(({ key, events }) => ({
      key,
      howMany: events.length,
      ...(isPlain ? {} : { events: events.map(encodePayload) }),
    })),
  );
  const create = async () => {
    const { rows } = await sql<{ created: string | null }[]>`CALL create_events_by_key(${list})`.execute(db);
    noticesFor(db).emit('created');
    return JSON.parse(rows[0]![0]!.created ?? '[]') as [key: string, firstId: number, howMany: number][];
  };
  let created = await repeatIfUnknown(() => besideForeignClients(db, create));
  // A key that was forgotten while it was repeated is as good as new.
  if (created.length < requests.length) created = await repeatIfUnknown(() => besideForeignClients(db, create));
  return new Map(created.map(([key, firstId, howMany]) => [key, { firstId, howMany }]));
}

/** Forgets up to `limit` keys that are older than `olderThanMs`. Resolves to how many; fewer than `limit`: no more are. */
export async function forgetKeys(
  db: Database,
  { olderThanMs, limit }: { olderThanMs: number; limit: number },
): Promise<number> {
  const { rows } = await sql<{ forgotten: number }[]>`CALL forget_keys(${olderThanMs}, ${limit})`.execute(db);
  return rows[0]![0]!.forgotten;
}

function hasPayload({ payload }: NewEvent): boolean {
  return payload !== undefined;
}

/** In base64 nothing is to be escaped: 4 MB of quotes took the driver four seconds, and became 14 MB. */
export function encodePayload<T extends NewEvent>(event: T): T {
  const { payload } = event;
  return payload === undefined ? event : { ...event, payload: Buffer.from(payload).toString('base64') };
}

function saysNothing(event: NewEvent): boolean {
  return Object.keys(event).length === 0;
}

/** Does it again where a client of another language has taken the ids meanwhile. */
export async function besideForeignClients<T>(db: Database, create: () => Promise<T>): Promise<T> {
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
