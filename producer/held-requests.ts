import type { Context } from 'hono';
import type { SettledEvent } from '../database/events/read.ts';
import { preferredWait } from './http/prefer.ts';
import { unavailable } from './http/problem.ts';

export interface HeldRequestsOptions {
  /** Resolves when the event is filled or dead, or to undefined if that is no longer waited for. */
  waitFor: (id: number, signal: AbortSignal, limitMs?: number) => Promise<SettledEvent | undefined>;
  /** Most requests held at once. */
  heldRequestLimit: number;
}

/** Given back at the end of its scope. */
export interface Place extends Disposable {
  /** Resolves when the event is filled or dead; to undefined if the caller left, or waits no longer. */
  settled: (id: number) => Promise<SettledEvent | undefined>;
}

/**
 * Holds so many requests and no more while they wait for an event. The returned function takes a place, or throws a 503
 * before anything is done. `Prefer: wait=N` limits the wait, counted from when the place was taken.
 */
export function createHeldRequests({ waitFor, heldRequestLimit }: HeldRequestsOptions): (c: Context) => Place {
  let taken = 0;
  return (c) => {
    const { signal } = c.req.raw; // read before the first wait: only then is a client's departure noticed
    if (taken >= heldRequestLimit) throw unavailable('Too many requests wait for their event. Nothing was created.');
    const waitUntil = performance.now() + (preferredWait(c.req.header('prefer')) ?? Infinity) * 1_000;
    taken++;
    return {
      settled: (id) => waitFor(id, signal, Math.max(0, waitUntil - performance.now())),
      [Symbol.dispose]: () => {
        taken--;
      },
    };
  };
}
