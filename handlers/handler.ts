/** The event that a handler is to fill: its id, and which attempt at it this is. */
interface HandlerEvent {
  id: number;
  attempt: number;
}

/** What became of one event: its value, or why this attempt failed. */
export type Outcome = { valor: string } | { failure: string };

/**
 * Where values come from; the word service is one such source.
 *
 * Resolves to the outcomes of the first events, in their order. Fewer outcomes than events: the others could not be
 * served this time, and are given back untouched. Rejects if the source itself is out of order, so that no event is to
 * blame; nothing is claimed until it works again. Called with no events it is asked only that: whether it works.
 * May be called more than once for one event. Must end soon after `signal` is aborted.
 */
export type BatchHandler = (events: readonly HandlerEvent[], signal: AbortSignal) => Promise<Outcome[]>;

/** A source may reject with this to say how long it wants to be left alone. */
export class SourceDownError extends Error {
  override readonly name = 'SourceDownError';
  readonly pauseMs: number;

  constructor(message: string, pauseMs: number) {
    super(message);
    this.pauseMs = pauseMs;
  }
}
