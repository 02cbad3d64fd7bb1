import { type KindHandler, type Outcome, SourceDownError } from '../handlers/handler.ts';
import { reasonOf } from '../handlers/reason-of.ts';
import { type HeldEvent, toHandlerEvent } from './held-event.ts';
import type { Release } from './settle.ts';

/** Why a handler is waited for no longer. */
export class InterruptedError extends Error {
  override readonly name = 'InterruptedError';
}

export interface CallResult {
  /** One for each event, in their order. */
  outcomes: readonly (Outcome | Release)[];
  /** Why the handler served no event. */
  error?: unknown;
}

/**
 * Calls a handler for its events, until its time is over or `controller` is aborted, whatever it does about its signal; what
 * it makes of them later is ignored. Does not reject.
 */
export async function callHandler(
  handler: KindHandler,
  events: readonly HeldEvent[],
  controller: AbortController,
): Promise<CallResult> {
  const { signal } = controller;
  const interrupted = Promise.withResolvers<never>();
  signal.addEventListener('abort', () => interrupted.reject(signal.reason), { once: true });
  const onOverdue = () => controller.abort(new Error(`no outcome within ${handler.timeoutMs} ms`));
  const timer = setTimeout(onOverdue, handler.timeoutMs);
  try {
    const outcomes = await Promise.race([call(handler, events, signal), interrupted.promise]);
    if (outcomes.length === 0) throw new SourceDownError(0, 'the handler served none of its events');
    const rest = events.slice(outcomes.length).map(() => ({ release: 'fewer outcomes than events' }));
    return { outcomes: [...outcomes.slice(0, events.length), ...rest] };
  } catch (error) {
    return { outcomes: events.map(() => afterError(error, events.length)), error };
  } finally {
    clearTimeout(timer);
  }
}

async function call(handler: KindHandler, events: readonly HeldEvent[], signal: AbortSignal): Promise<Outcome[]> {
  switch (handler.style) {
    case 'single':
      return [await handler.handleEvent(toHandlerEvent(events[0]!), { signal })];
    case 'batch':
      return handler.handleBatch(events.map(toHandlerEvent), { signal });
  }
}

/** Which of several events is to blame shows when they are tried again, in smaller batches. */
function afterError(error: unknown, events: number): Outcome | Release {
  if (error instanceof InterruptedError) return { release: error.message };
  if (error instanceof SourceDownError) return { release: 'the source is down' };
  if (events > 1) return { release: 'the handler failed for the whole batch' };
  return { failure: reasonOf(error) };
}
