import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseError } from '../database/database-error.ts';
import type { ConsumerDeps } from './options.ts';

interface WriteQueueOptions<T> extends Pick<ConsumerDeps, 'report' | 'giveUp'> {
  /** Resolves to those of the items that another connection has locked; all others are written, or lost. */
  write: (items: readonly T[]) => Promise<readonly T[]>;
  /** What it does with events, for the log: 'filled'. */
  verb: string;
}

/** Items whose callers wait for them together. */
interface Group<T> {
  items: readonly T[];
  /** Written, or known to be locked: others need not wait for it. */
  resolve: () => void;
  done: (item: T) => void;
  lockedAt?: number;
  sayAt?: number;
}

const WRITE_LIMIT = 1_000;
/** While one statement runs, so many are worth a second beside it; fewer gather. */
const SECOND_FROM = 500;
const AFTER_TROUBLE_MS = 1_000;
const LOCKED_PAUSE_MS = 100;
/** After giving up: a transaction of ours that has a row locked is rolled back just then. */
const LAST_TRIES_MS = 1_000;
const SAY_AFTER_MS = 5_000;
const SAY_AGAIN_MS = 60_000;

/** Resolves when the items are written, or wait for a lock. `done`: nothing of this item is left to do. */
export type Write<T> = (items: readonly T[], done: (item: T) => void) => Promise<void>;

/**
 * Writes many items in one statement, and very many in two at once: docs/design.md, "Write queues". An item is done when it is
 * written, lost, or left to its lease.
 */
export function createWriteQueue<T extends { id: number }>(options: WriteQueueOptions<T>): Write<T> {
  const { verb, report, giveUp } = options;
  const queue: Group<T>[] = [];
  let waiting = 0;
  let running = 0;
  let leaveAt = -Infinity;
  giveUp.addEventListener('abort', () => {
    leaveAt = performance.now() + LAST_TRIES_MS;
  });

  function add(...groups: Group<T>[]): void {
    queue.push(...groups);
    waiting += sizeOf(groups);
    if (running > 0 && (running > 1 || waiting < SECOND_FROM)) return;
    running++;
    // After the outcomes that this turn of the event loop still brings.
    setImmediate(() => void run());
  }

  async function run(): Promise<void> {
    while (queue.length > 0) await writeGroups(take());
    running--;
  }

  /** Whole groups, none of which is larger than a statement. */
  function take(): Group<T>[] {
    let size = 0;
    const end = queue.findIndex(({ items }) => (size += items.length) > WRITE_LIMIT);
    const groups = queue.splice(0, end === -1 ? queue.length : end);
    waiting -= sizeOf(groups);
    return groups;
  }

  async function writeGroups(groups: readonly Group<T>[]): Promise<void> {
    try {
      const locked = new Set(await options.write(groups.flatMap(({ items }) => items)));
      for (const { items, resolve, done } of groups) {
        resolve();
        for (const item of items) if (!locked.has(item)) done(item);
      }
      if (locked.size > 0) void tryAgain(groups.flatMap((group) => keepOnly(locked, group)));
    } catch (error) {
      await afterError(groups, error);
    }
  }

  /** Apart from the others, which do not wait for it. */
  async function tryAgain(groups: readonly Group<T>[]): Promise<void> {
    for (const group of groups) group.lockedAt ??= performance.now();
    await sleep(LOCKED_PAUSE_MS);
    if (performance.now() < leaveAt) return add(...groups);
    sayLocked(groups);
    if (giveUp.aborted) return leave(groups);
    add(...groups);
  }

  function sayLocked(groups: readonly Group<T>[]): void {
    const now = performance.now();
    const toSay = groups.filter(
      ({ lockedAt = now, sayAt = lockedAt + SAY_AFTER_MS }) => giveUp.aborted || now >= sayAt,
    );
    for (const group of toSay) group.sayAt = now + SAY_AGAIN_MS;
    if (toSay.length > 0) {
      const ids = toSay.flatMap(({ items }) => items.map(({ id }) => id));
      report.locked(ids, Math.round(Math.max(...toSay.map(({ lockedAt = now }) => now - lockedAt))));
    }
  }

  async function afterError(groups: readonly Group<T>[], error: unknown): Promise<void> {
    const isRefused = error instanceof DatabaseError && error.fault === 'permanent';
    const size = sizeOf(groups);
    if (isRefused && size > 1) {
      // Perhaps one of them alone is what the database refuses.
      for (const { items, resolve, done } of groups) {
        for (const item of items) await writeGroups([{ items: [item], resolve: () => {}, done }]);
        resolve();
      }
      return;
    }
    const isOver = isRefused || giveUp.aborted;
    report.trouble(`${size} events could not be ${verb}${isOver ? ' and are left to their lease' : ' yet'}`, error);
    if (isOver) return leave(groups);
    // Until the database says that the claims are lost.
    await sleep(AFTER_TROUBLE_MS, undefined, { signal: giveUp }).catch(() => {});
    queue.unshift(...groups);
    waiting += size;
  }

  const write = (items: readonly T[], done: (item: T) => void) =>
    new Promise<void>((resolve) => add({ items, resolve, done }));

  return async (items, done) => {
    if (items.length <= WRITE_LIMIT) return items.length === 0 ? undefined : write(items, done);
    const from = Array.from({ length: Math.ceil(items.length / WRITE_LIMIT) }, (_, n) => n * WRITE_LIMIT);
    await Promise.all(from.map((start) => write(items.slice(start, start + WRITE_LIMIT), done)));
  };
}

function sizeOf(groups: readonly Pick<Group<unknown>, 'items'>[]): number {
  return groups.reduce((sum, { items }) => sum + items.length, 0);
}

function keepOnly<T>(locked: ReadonlySet<T>, group: Group<T>): Group<T>[] {
  const items = group.items.filter((item) => locked.has(item));
  return items.length === 0 ? [] : [{ ...group, items }];
}

function leave<T>(groups: readonly Group<T>[]): void {
  for (const { items, resolve, done } of groups) {
    resolve();
    for (const item of items) done(item);
  }
}
