import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../database/connect.ts';
import { findSettledEvents, type SettledEvent } from '../database/events/read.ts';

export interface CompletionPollerOptions {
  db: Database;
  /** From one look at the table to the next, in ms. */
  pollMs: number;
  /** Told when a look failed; the next one follows all the same. */
  onError: (error: unknown) => void;
}

export interface CompletionPoller {
  /**
   * Resolves when the event is filled or dead; to undefined when the caller goes away (`signal`), after `limitMs`, or
   * when the poller stops. There is no other limit, whatever the database does meanwhile.
   */
  waitFor: (id: number, signal: AbortSignal, limitMs?: number) => Promise<SettledEvent | undefined>;
  /** How many are waiting now. */
  size: () => number;
  /** Looks until `signal` is aborted, and then lets everybody go. */
  run: (signal: AbortSignal) => Promise<void>;
}

// Beyond it a timer would go off at once; nobody waits for 24 days.
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * One query per tick answers all waiting requests of this process, however many they are; none while nobody waits. Whoever
 * comes after a pause is looked after in half a tick, unless the last look is not yet a tick ago.
 */
export function createCompletionPoller({ db, pollMs, onError }: CompletionPollerOptions): CompletionPoller {
  const waiting = new Set<{ id: number; settle: (event: SettledEvent | undefined) => void }>();
  let stopped = false;
  let somebodyWaits = Promise.withResolvers<void>();
  const wake = () => somebodyWaits.resolve();

  /** At once, for a look that is under way may take as long as a statement may. */
  function letAllGo(): void {
    stopped = true;
    for (const { settle } of waiting) settle(undefined);
    wake();
  }

  async function pollRound(): Promise<number> {
    const startedAt = performance.now();
    try {
      const ids = new Set(Array.from(waiting, ({ id }) => id));
      const settled = new Map((await findSettledEvents(db, [...ids])).map((event) => [event.id, event]));
      for (const { id, settle } of waiting) if (settled.has(id)) settle(settled.get(id));
    } catch (error) {
      onError(error);
    }
    return Math.max(0, pollMs - (performance.now() - startedAt));
  }

  return {
    size: () => waiting.size,

    waitFor: (id, signal, limitMs = Infinity) =>
      new Promise((resolve) => {
        const leave = () => settle(undefined);
        const limit = limitMs > LONGEST_TIMER_MS ? undefined : setTimeout(leave, limitMs);
        const settle = (event: SettledEvent | undefined) => {
          waiting.delete(waiter);
          clearTimeout(limit);
          signal.removeEventListener('abort', leave);
          resolve(event);
        };
        const waiter = { id, settle };
        waiting.add(waiter);
        if (signal.aborted || stopped) leave();
        else signal.addEventListener('abort', leave);
        wake();
      }),

    async run(signal) {
      signal.addEventListener('abort', letAllGo);
      let delayMs = pollMs / 2;
      while (!signal.aborted) {
        if (waiting.size === 0) {
          somebodyWaits = Promise.withResolvers();
          const idleFrom = performance.now();
          await somebodyWaits.promise;
          // An event that was just created is not filled yet, but with a consumer near it will be soon.
          delayMs = Math.max(delayMs - (performance.now() - idleFrom), pollMs / 2);
        }
        await sleep(delayMs, undefined, { signal }).catch(() => {});
        if (!signal.aborted && waiting.size > 0) delayMs = await pollRound();
      }
      letAllGo();
      signal.removeEventListener('abort', letAllGo);
    },
  };
}
