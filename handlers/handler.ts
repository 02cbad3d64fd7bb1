/** An event as its handler sees it; `attempt`: which attempt at it this is, from 1. */
interface HandlerEvent {
  id: number;
  attempt: number;
}

/** How the attempt at one event ended: with its value, or with the reason of its failure. */
export type Outcome = { valor: string } | { failure: string };

/** Fills the events of one kind, many in one call. The log calls it by that kind. */
export interface BatchHandler {
  kind: string;
  handleBatch: HandleBatch;
}

/**
 * Resolves to the outcomes of the first events, in their order; the others are given back. Rejects when no event is to
 * blame: nothing is claimed until a call without events resolves. May see an event twice; heeds `signal`.
 */
export type HandleBatch = (events: readonly HandlerEvent[], signal: AbortSignal) => Promise<Outcome[]>;

/** A handler rejects with it when its source wants to be left alone for at least `pauseMs`. @default 0 */
export class SourceDownError extends Error {
  override readonly name = 'SourceDownError';
  readonly pauseMs: number;

  constructor(pauseMs = 0, message = 'the source is down') {
    super(message);
    this.pauseMs = pauseMs;
  }
}
