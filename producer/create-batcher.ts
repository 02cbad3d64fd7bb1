import type { Database } from '../database/connect.ts';
import { createEvents, createEventsOnce, type NewEvent } from '../database/events/create.ts';

export interface CreateBatcherOptions {
  db: Database;
  /** Most requests that share one transaction. */
  maxRequests: number;
  /** The limit of events that wait for their transaction. @default 50,000 */
  maxQueued?: number;
  /** A create that has waited longer for its transaction is refused rather than sent. Default 5,000. */
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
  key: string | undefined;
  queuedAt: number;
  resolve: (firstId: number) => void;
  reject: (error: unknown) => void;
}

// One transaction carries at most this many events, so that it stays short; a single request may fill it alone.
const MAX_EVENTS = 10_000;

/**
 * Group commit: creates that arrive while one transaction is under way gather for the next. A create that finds nothing
 * under way is sent at once. The returned function resolves to the id of the first of its events once they are committed,
 * and its ids follow each other; with a key that was used before, to that of the events created then. It rejects as createEvents does, for every request of the failed transaction.
 */
export function createBatcher({ db, maxRequests, maxQueued = 50_000, maxWaitMs = 5_000 }: CreateBatcherOptions) {
  const queue: Request[] = [];
  let queuedEvents = 0;
  let running = false;
  let overdue: NodeJS.Timeout | undefined;

  async function run(): Promise<void> {
    while (queue.length > 0) {
      const batch = takeBatch(queue, maxRequests);
      for (const { events } of batch) queuedEvents -= events.length;
      await createBatch(db, batch);
      refuseOverdue();
    }
    running = false;
  }

  /** By a clock of its own: a batch that hangs may take all its patience, and those behind it are told in time. */
  function refuseOverdue(): void {
    clearTimeout(overdue);
    const oldest = performance.now() - maxWaitMs;
    while (queue.length > 0 && queue[0]!.queuedAt <= oldest) {
      const { events, reject } = queue.shift()!;
      queuedEvents -= events.length;
      reject(new QueueFullError(`not inserted within ${maxWaitMs} ms`));
    }
    overdue = queue.length > 0 ? setTimeout(refuseOverdue, queue[0]!.queuedAt - oldest) : undefined;
  }

  return (events: readonly NewEvent[], key?: string): Promise<number> => {
    if (queuedEvents + events.length > maxQueued) {
      return Promise.reject(new QueueFullError(`${queuedEvents} events are waiting to be inserted`));
    }
    return new Promise((resolve, reject) => {
      queue.push({ events, key, queuedAt: performance.now(), resolve, reject });
      queuedEvents += events.length;
      overdue ??= setTimeout(refuseOverdue, maxWaitMs);
      if (running) return;
      running = true;
      // After the requests that this turn of the event loop still brings.
      setImmediate(() => void run());
    });
  };
}

function takeBatch(queue: Request[], maxRequests: number): Request[] {
  let requests = 1;
  let events = queue[0]!.events.length;
  while (requests < Math.min(queue.length, maxRequests)) {
    events += queue[requests]!.events.length;
    if (events > MAX_EVENTS) break;
    requests++;
  }
  return queue.splice(0, requests);
}

async function createBatch(db: Database, batch: Request[]): Promise<void> {
  const plain = batch.filter(({ key }) => key === undefined);
  const keyed = batch.filter(({ key }) => key !== undefined);
  await Promise.all([
    plain.length > 0 && createPlain(db, plain).catch((error: unknown) => rejectAll(plain, error)),
    keyed.length > 0 && createKeyed(db, keyed).catch((error: unknown) => rejectAll(keyed, error)),
  ]);
}

async function createPlain(db: Database, requests: Request[]): Promise<void> {
  const newEvents = requests.flatMap(({ events }) => events);
  const firstId = await createEvents(db, newEvents);
  // In the next turn of the event loop: by then the next statement is on its way, and the database works while we answer.
  setImmediate(answerAll, requests, firstId);
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

function rejectAll(requests: Request[], error: unknown): void {
  for (const { reject } of requests) reject(error);
}
