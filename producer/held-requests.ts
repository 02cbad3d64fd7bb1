import type { Context } from 'hono';
import type { SettledEvent } from '../database/events/read.ts';
import type { WaitFor } from './completion-poller.ts';
import { preferredWait } from './http/prefer.ts';
import { unavailable } from './http/problem.ts';

export interface HeldRequestsDeps {
  waitFor: WaitFor;
  /** Most requests held at once. */
  heldRequestLimit: number;
}

/** One place among the held requests, given back at the end of its scope. */
interface HeldRequest extends Disposable {
  /** Resolves when the event is settled; to undefined when its caller left or its wait is over. */
  settled: (id: number) => Promise<SettledEvent | undefined>;
}

/** Takes a place, or throws a 503 before anything is done. */
export type HoldRequest = (c: Context) => HeldRequest;

/**
 * Holds requests until their events are settled, up to a limit. `Prefer: wait=N` limits the wait of each, counted from
 * when its place was taken.
 */
export function createHeldRequests({ waitFor, heldRequestLimit }: HeldRequestsDeps): HoldRequest {
  let held = 0;
  return (c) => {
    const { signal } = c.req.raw; // read before the first wait: only then is a client's departure noticed
    if (held >= heldRequestLimit)
      throw unavailable('Too many requests are waiting for their events; this one did nothing.');
    const waitUntil = performance.now() + (preferredWait(c.req.header('prefer')) ?? Infinity) * 1_000;
    held++;
    return {
      settled: (id) => waitFor(id, signal, Math.max(0, waitUntil - performance.now())),
      [Symbol.dispose]: () => {
        held--;
      },
    };
  };
}
