import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../database/connect.ts';
import { isRefused } from '../database/database-error.ts';
import { createEvents, createEventsOnce, type NewEvent } from '../database/events/create.ts';

export interface CreateBatcherOptions {
  db: Database;
  /** How many requests share one transaction at most. */
  maxRequests: number;
  /** How many events wait for their transaction at most. @default 50_000 */
  maxQueued?: number;
  /** A create that has waited longer is refused rather than sent. @default 5_000 */
  maxWaitMs?: number;
}

/** Too many creates are waiting, or this one has waited too long; nothing was created. */
export class QueueFullError extends Error {
  override readonly name = 'QueueFullError';
}

/** The key stands for another number of events than this request asks for; nothing was created. */
export class KeyReusedError extends Error {
  override readonly name = 'KeyReusedError';
}

interface Request {
  events: readonly NewEvent[];
  /** Of the payloads, in characters: quick to count, and about as many bytes. */
  payloadSize: number;
  key: string | undefined;
  queuedAt: number;
  resolve: (firstId: number) => void;
  reject: (error: unknown) => void;
}

// One transaction carries at most so much, so that it stays short; a single request may have more, and goes alone.
const MAX_EVENTS = 10_000;
const MAX_PAYLOAD_SIZE = 4_194_304;
// What waits is in memory.
const MAX_QUEUED_PAYLOAD_SIZE = 67_108_864;
const LONGEST_PAUSE_MS = 5;

/**
 * Group commit: creates that arrive while a transaction runs gather for the next one. The returned function resolves to the
 * first id once all events are committed; the others follow it. A known key stands for its old events.
 */
export function createBatcher({ db, maxRequests, maxQueued = 50_000, maxWaitMs = 5_000 }: CreateBatcherOptions) {
  const queue: Request[] = [];
  let queuedEvents = 0;
  let queuedPayloadSize = 0;
  let nextId: number | undefined;
  let isRunning = false;
  let overdue: NodeJS.Timeout | undefined;

  function dequeue(requests: number): Request[] {
    const taken = queue.splice(0, requests);
    queuedEvents -= countEvents(taken);
    queuedPayloadSize -= taken.reduce((sum, { payloadSize }) => sum + payloadSize, 0);
    return taken;
  }

  async function run(): Promise<void> {
    while (queue.length > 0) {
      const batch = dequeue(batchLength(queue, maxRequests));
      const sentAt = performance.now();
      const firstId = await createBatch(db, batch);
      refuseOverdue();
      const othersCreate = firstId !== undefined && firstId !== (nextId ?? firstId);
      nextId = firstId && firstId + countEvents(batch);
      if (othersCreate) await letOthersCreate(performance.now() - sentAt);
    }
    isRunning = false;
  }

  /**
   * The producers take turns at one row, so a transaction sent at once would only wait there, without the callers that come
   * meanwhile. The first third of that time is waited here.
   */
  async function letOthersCreate(roundTripMs: number): Promise<void> {
    const isNextFull =
      queue.length >= maxRequests || queuedEvents >= MAX_EVENTS || queuedPayloadSize >= MAX_PAYLOAD_SIZE;
    const pauseMs = Math.min(LONGEST_PAUSE_MS, Math.round(roundTripMs / 3));
    if (queue.length > 0 && !isNextFull && pauseMs > 0) await sleep(pauseMs);
  }

  /** Also by a timer: the transaction before may hang for longer than those behind it may wait. */
  function refuseOverdue(): void {
    clearTimeout(overdue);
    const oldest = performance.now() - maxWaitMs;
    const inTime = queue.findIndex(({ queuedAt }) => queuedAt > oldest);
    const refused = dequeue(inTime < 0 ? queue.length : inTime);
    rejectAll(refused, new QueueFullError(`not inserted within ${maxWaitMs} ms`));
    overdue = queue.length > 0 ? setTimeout(refuseOverdue, queue[0]!.queuedAt - oldest) : undefined;
  }

  return async (events: readonly NewEvent[], key?: string): Promise<number> => {
    const payloadSize = payloadSizeOf(events);
    if (queuedEvents + events.length > maxQueued || queuedPayloadSize + payloadSize > MAX_QUEUED_PAYLOAD_SIZE) {
      throw new QueueFullError(`${queuedEvents} events are waiting to be inserted`);
    }
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    queue.push({ events, payloadSize, key, queuedAt: performance.now(), resolve, reject });
    queuedEvents += events.length;
    queuedPayloadSize += payloadSize;
    overdue ??= setTimeout(refuseOverdue, maxWaitMs);
    if (!isRunning) {
      isRunning = true;
      // After the requests that this turn of the event loop still brings.
      setImmediate(() => void run());
    }
    return promise;
  };
}

function countEvents(requests: readonly Request[]): number {
  return requests.reduce((sum, { events }) => sum + events.length, 0);
}

function payloadSizeOf(events: readonly NewEvent[]): number {
  let size = 0;
  for (const { payload } of events) size += payload?.length ?? 0;
  return size;
}

/** How many requests, from the first on, go into the next transaction. */
function batchLength(queue: readonly Request[], maxRequests: number): number {
  let events = 0;
  let payloadSize = 0;
  const end = queue.findIndex((request, index) => {
    events += request.events.length;
    payloadSize += request.payloadSize;
    const isTooMuch = events > MAX_EVENTS || payloadSize > MAX_PAYLOAD_SIZE;
    return index === maxRequests || (index > 0 && isTooMuch);
  });
  return end < 0 ? queue.length : end;
}

/** Resolves to the first id, if it is known that the batch has all ids from there on. */
async function createBatch(db: Database, batch: Request[]): Promise<number | undefined> {
  const plain = batch.filter(({ key }) => key === undefined);
  const keyed = batch.filter(({ key }) => key !== undefined);
  const [firstId] = await Promise.all([
    plain.length > 0 ? createApart(plain, (requests) => createPlain(db, requests)) : undefined,
    keyed.length > 0 ? createApart(keyed, (requests) => createKeyed(db, requests)) : undefined,
  ]);
  return keyed.length === 0 ? firstId : undefined;
}

/** What is refused is one request's fault. It is found by halves, so that the others get what they ask for. */
async function createApart<T>(requests: Request[], create: (part: Request[]) => Promise<T>): Promise<T | undefined> {
  try {
    return await create(requests);
  } catch (error) {
    if (requests.length === 1 || !isRefused(error)) return rejectAll(requests, error);
    const half = Math.ceil(requests.length / 2);
    await createApart(requests.slice(0, half), create);
    await createApart(requests.slice(half), create);
    return undefined;
  }
}

async function createPlain(db: Database, requests: Request[]): Promise<number> {
  const newEvents = requests.flatMap(({ events }) => events);
  const firstId = await createEvents(db, newEvents);
  // In the next turn of the event loop: by then the next statement is on its way, and the database works while we answer.
  setImmediate(answerAll, requests, firstId);
  return firstId;
}

function answerAll(requests: Request[], firstId: number): void {
  let nextId = firstId;
  for (const { events, resolve } of requests) {
    resolve(nextId);
    nextId += events.length;
  }
}

async function createKeyed(db: Database, requests: Request[]): Promise<void> {
  // Of those who use a key at the same time, the first says what it stands for.
  const byKey = new Map(requests.toReversed().map(({ key, events }) => [key!, events]));
  const created = await createEventsOnce(
    db,
    Array.from(byKey, ([key, events]) => ({ key, events })),
  );
  // At once, unlike createPlain: what goes wrong here still reaches the callers.
  for (const { key, events, resolve, reject } of requests) {
    const { firstId, howMany } = created.get(key!)!;
    if (howMany === events.length) resolve(firstId);
    else reject(new KeyReusedError(`the key stands for ${howMany} events`));
  }
}

function rejectAll(requests: Request[], error: unknown): undefined {
  for (const { reject } of requests) reject(error);
}
