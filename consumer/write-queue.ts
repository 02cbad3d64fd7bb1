import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseError } from '../database/database-error.ts';
import type { ConsumerDeps } from './options.ts';

interface WriteQueueOptions<T> extends Pick<ConsumerDeps, 'report' | 'giveUp'> {
  /** Resolves to those of the items that another connection has locked; all others are written, or lost. */
  write: (items: readonly T[]) => Promise<readonly T[]>;
  /** What it does with events, for the log: 'filled'. */
  verb: string;
}

interface Entry<T> {
  item: T;
  /** Written, or known to be locked: others need not wait for it. */
  resolve: () => void;
  done: () => void;
  lockedAt?: number;
  sayAt?: number;
}

const WRITE_LIMIT = 1_000;
const AFTER_TROUBLE_MS = 1_000;
const LOCKED_PAUSE_MS = 100;
const SAY_AFTER_MS = 5_000;
const SAY_AGAIN_MS = 60_000;

/** Resolves when the item is written, or waits for a lock. `done`: nothing of it is left to do. */
export type Write<T> = (item: T, done: () => void) => Promise<void>;

/**
 * Writes many items in one statement: what comes while one runs gathers for the next. An item is done when it is written, lost,
 * or left to its lease, as one that the database refuses.
 */
export function createWriteQueue<T extends { id: number }>(options: WriteQueueOptions<T>): Write<T> {
  const { write, verb, report, giveUp } = options;
  const queue: Entry<T>[] = [];
  let isRunning = false;

  function start(): void {
    if (isRunning) return;
    isRunning = true;
    // After the outcomes that this turn of the event loop still brings.
    setImmediate(() => void run());
  }

  async function run(): Promise<void> {
    while (queue.length > 0) await writeEntries(queue.splice(0, WRITE_LIMIT));
    isRunning = false;
  }

  async function writeEntries(entries: Entry<T>[]): Promise<void> {
    try {
      const locked = new Set(await write(entries.map(({ item }) => item)));
      for (const { item, resolve, done } of entries) {
        resolve();
        if (!locked.has(item)) done();
      }
      if (locked.size > 0) void tryAgain(entries.filter(({ item }) => locked.has(item)));
    } catch (error) {
      await afterError(entries, error);
    }
  }

  /** Apart from the others, which do not wait for it. */
  async function tryAgain(entries: Entry<T>[]): Promise<void> {
    for (const entry of entries) entry.lockedAt ??= performance.now();
    await sleep(LOCKED_PAUSE_MS, undefined, { signal: giveUp }).catch(() => {});
    sayLocked(entries);
    if (giveUp.aborted) return leave(entries);
    queue.push(...entries);
    start();
  }

  function sayLocked(entries: Entry<T>[]): void {
    const now = performance.now();
    const toSay = entries.filter(
      ({ lockedAt = now, sayAt = lockedAt + SAY_AFTER_MS }) => giveUp.aborted || now >= sayAt,
    );
    for (const entry of toSay) entry.sayAt = now + SAY_AGAIN_MS;
    if (toSay.length > 0) {
      const ids = toSay.map(({ item }) => item.id);
      report.locked(ids, Math.round(Math.max(...toSay.map(({ lockedAt = now }) => now - lockedAt))));
    }
  }

  async function afterError(entries: Entry<T>[], error: unknown): Promise<void> {
    const isRefused = error instanceof DatabaseError && error.fault === 'permanent';
    if (isRefused && entries.length > 1) {
      // Perhaps one of them alone is what the database refuses.
      for (const entry of entries) await writeEntries([entry]);
      return;
    }
    const isOver = isRefused || giveUp.aborted;
    report.trouble(
      `${entries.length} events could not be ${verb}${isOver ? ' and are left to their lease' : ' yet'}`,
      error,
    );
    if (isOver) return leave(entries);
    // Until the database says that the claims are lost.
    await sleep(AFTER_TROUBLE_MS, undefined, { signal: giveUp }).catch(() => {});
    queue.unshift(...entries);
  }

  return (item, done) =>
    new Promise((resolve) => {
      queue.push({ item, resolve, done });
      start();
    });
}

function leave(entries: readonly Entry<unknown>[]): void {
  for (const { resolve, done } of entries) {
    resolve();
    done();
  }
}
