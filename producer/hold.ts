import type { Context } from 'hono';
import type { SettledEvent } from '../database/events.ts';
import { preferredWait } from './prefer.ts';
import { unavailable } from './problem.ts';

export interface HoldOptions {
  /** Resolves when the event is filled or dead, or to undefined if that is no longer waited for. */
  waitFor: (id: number, signal: AbortSignal, limitMs?: number) => Promise<SettledEvent | undefined>;
  /** Most requests held at once. */
  waitingLimit: number;
}

/** Resolves when the event is filled or dead, to undefined if the caller left or waits no longer. */
export type Settled = (id: number) => Promise<SettledEvent | undefined>;

/**
 * Holds requests while they wait for an event, so many at once and no more: one too many is a 503 before anything is
 * done. `Prefer: wait=N` limits how long, counted from the arrival of the request.
 */
export function createHold({ waitFor, waitingLimit }: HoldOptions) {
  let held = 0;
  return async (c: Context, respond: (settled: Settled) => Promise<Response>): Promise<Response> => {
    const { signal } = c.req.raw; // read before the first wait: only then is a client's departure noticed
    if (held >= waitingLimit) throw unavailable('Too many requests wait for their event. Nothing was created.');
    const waitUntil = performance.now() + (preferredWait(c.req.header('prefer')) ?? Infinity) * 1_000;
    held++;
    try {
      return await respond((id) => waitFor(id, signal, Math.max(0, waitUntil - performance.now())));
    } finally {
      held--;
    }
  };
}
