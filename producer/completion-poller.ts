import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../database/connect.ts';
import { type FilledEvent, noticesFor } from '../database/events/notices.ts';
import { findSettledEvents, type SettledEvent, toFilled } from '../database/events/read.ts';

export interface CompletionPollerDeps {
  db: Database;
  /** From one look at the table to the next, in ms. */
  pollMs: number;
  /** Called when a look failed; the next one follows all the same. */
  onError: (error: unknown) => void;
}

/**
 * Resolves when the event is filled, dead or gone; to undefined when the caller leaves (`signal`), after `limitMs`, or when
 * the poller stops. There is no other limit, whatever the database does meanwhile.
 */
export type WaitFor = (id: number, signal: AbortSignal, limitMs?: number) => Promise<SettledEvent | undefined>;

export interface CompletionPoller {
  waitFor: WaitFor;
  /** How many are waiting now. */
  size: () => number;
  /** Looks until `signal` is aborted, and then lets everybody go. */
  run: (signal: AbortSignal) => Promise<void>;
}

interface Waiter {
  id: number;
  /** When a look found no row for the first time, by performance.now(). */
  missingSince?: number;
  settle: (event: SettledEvent | undefined) => void;
}

// A read may reach a server that lags behind the one that created the event; one look is no proof that a row is gone.
const MISSING_MS = 1_000;
// Node fires a longer timer at once; nobody waits for 24 days.
const LONGEST_TIMER_MS = 2 ** 31 - 1;

// So long at least from one look to the next, however many events a consumer in this process settles.
const AFTER_NOTICE_MS = 5;

/**
 * One query per tick answers all waiting requests of this process, however many they are; none while nobody waits. The
 * first look after a pause comes after half a tick, unless the last one is not yet a tick ago.
 */
export function createCompletionPoller(deps: CompletionPollerDeps): CompletionPoller {
  const { pollMs } = deps;
  const waiting = new Set<Waiter>();
  let stopped = false;
  let somebodyWaits = Promise.withResolvers<void>();
  const notices = noticesFor(deps.db);
  let hasNotice = false;
  let notice = new AbortController();

  const waitFor: WaitFor = (id, signal, limitMs = Infinity) =>
    new Promise((resolve) => {
      const leave = () => settle(undefined);
      const limit = limitMs > LONGEST_TIMER_MS ? undefined : setTimeout(leave, limitMs);
      const settle = (event: SettledEvent | undefined) => {
        waiting.delete(waiter);
        clearTimeout(limit);
        signal.removeEventListener('abort', leave);
        resolve(event);
      };
      const waiter: Waiter = { id, settle };
      waiting.add(waiter);
      if (signal.aborted || stopped) leave();
      else signal.addEventListener('abort', leave);
      somebodyWaits.resolve();
    });

  /** At once, as a look that is under way may take as long as a statement may. */
  function letAllGo(): void {
    stopped = true;
    for (const { settle } of waiting) settle(undefined);
    somebodyWaits.resolve();
  }

  /** A consumer in this process says what it has filled, so that nobody need look for it. */
  function onFilled(events: readonly FilledEvent[]): void {
    if (waiting.size === 0) return;
    const filled = new Map(events.map((event) => [event.id, event]));
    for (const { id, settle } of waiting) {
      const event = filled.get(id);
      if (event) settle(toFilled(event));
    }
  }

  function onSettled(): void {
    hasNotice = true;
    notice.abort();
  }

  async function sleepUntilNotice(ms: number, signal: AbortSignal): Promise<void> {
    notice = new AbortController();
    if (ms > 0) await sleep(ms, undefined, { signal: AbortSignal.any([signal, notice.signal]) }).catch(() => {});
  }

  async function run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', letAllGo);
    notices.on('filled', onFilled).on('settled', onSettled);
    let delayMs = pollMs / 2;
    while (!signal.aborted) {
      if (waiting.size === 0) {
        somebodyWaits = Promise.withResolvers();
        const idleFrom = performance.now();
        await somebodyWaits.promise;
        // An event that was just created is not filled yet, but with a consumer near it will be soon.
        delayMs = Math.max(delayMs - (performance.now() - idleFrom), pollMs / 2);
      }
      await sleep(Math.min(delayMs, AFTER_NOTICE_MS), undefined, { signal }).catch(() => {});
      if (!hasNotice) await sleepUntilNotice(delayMs - AFTER_NOTICE_MS, signal);
      hasNotice = false;
      if (!signal.aborted && waiting.size > 0) delayMs = await pollRound(deps, waiting);
    }
    letAllGo();
    signal.removeEventListener('abort', letAllGo);
    notices.off('filled', onFilled).off('settled', onSettled);
  }

  return { waitFor, size: () => waiting.size, run };
}

/** One look for all who wait. Resolves to the ms until the next. */
async function pollRound({ db, pollMs, onError }: CompletionPollerDeps, waiting: Set<Waiter>): Promise<number> {
  const startedAt = performance.now();
  try {
    const ids = new Set(Array.from(waiting, ({ id }) => id));
    const settled = new Map((await findSettledEvents(db, [...ids])).map((event) => [event.id, event]));
    for (const waiter of waiting) settleWaiter(waiter, settled.get(waiter.id));
  } catch (error) {
    onError(error);
  }
  return Math.max(0, pollMs - (performance.now() - startedAt));
}

function settleWaiter(waiter: Waiter, event: SettledEvent | undefined): void {
  if (event?.status !== 'gone') {
    delete waiter.missingSince;
    if (event) waiter.settle(event);
    return;
  }
  waiter.missingSince ??= performance.now();
  if (performance.now() - waiter.missingSince >= MISSING_MS) waiter.settle(event);
}
