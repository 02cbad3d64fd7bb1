import type { Kysely } from 'kysely';

/** What JSON can say. A member that is undefined is left out. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [member: string]: Json | undefined };

/** W3C Trace Context: the headers of the request that created an event. */
export interface Trace {
  traceparent: string;
  tracestate?: string;
}

/** An event as its handler sees it. */
export interface HandlerEvent<Payload = unknown> {
  id: number;
  kind: string;
  /** Events of the same key are worked on one at a time, in the order of their ids. */
  key: string | undefined;
  /** Which claim of the event this is, from 1. It also counts claims that were given back. */
  attempt: number;
  /** Failed attempts and lost leases so far. */
  failures: number;
  /** How often its handler has said `later()`. */
  waits: number;
  createdAt: Date;
  /** The parsed JSON, or what the schema of the kind made of it; undefined without a payload. */
  payload: Payload;
  /** The JSON as it was sent, digit for digit. */
  payloadText: string | undefined;
  /** Of whoever created it; undefined if that said nothing of a trace. Both are what headers may carry. */
  trace: Trace | undefined;
}

export interface HandlerContext {
  /** Aborted when another consumer has the event, when the handler's time is over, and when the process gives up. */
  signal: AbortSignal;
  /** A UUID of the database: with it, event 7 of one installation is not taken for that of another. */
  installationId: string;
}

/** What a function for one event is called with first, so that `({ payload, signal }) => …` is all it needs. */
export type HandlerInput<Payload = unknown> = HandlerEvent<Payload> & HandlerContext;

/** For a handler's own tables beside ours: what it writes is committed together with the value, or not at all. */
// oxlint-disable-next-line typescript/no-explicit-any
export type UserTransaction = Kysely<any>;

/** What `done` is given. */
export type Effect = (trx: UserTransaction) => Promise<unknown>;

/** How the attempt at one event ended, as a consumer writes it down. */
export type Outcome =
  /** A word as plain text, the value of any other kind as JSON text. The effect is part of the transaction that writes it. */
  | { valor: string; effect?: Effect }
  /** Counted, and retried after a pause: the kind's own, or `retryMs` if that is longer. */
  | { failure: string; retryMs?: number }
  /** No further attempt. The reason is for callers. */
  | { dead: string }
  /** Not yet: due again after so many ms, and nothing is counted. The reason is for the log of attempts. */
  | { laterMs: number; why?: string };

interface HandlerPolicy {
  kind: string;
  /** An event is dead after so many failures. */
  attempts: number;
  /** The pause after the failure with this number, from 1. Never throws. */
  retryDelayMs: (failures: number) => number;
  /** From then on the signal of a call is aborted, and its attempt has failed. */
  timeoutMs: number;
  log: LogMode;
  /** The member of the payload that lines of the log are searched by. */
  logKey: string | undefined;
}

/** Which attempts leave a line in the log: those that failed, or lost their consumer; or all. */
export type LogMode = 'off' | 'failures' | 'all';

export interface SingleHandler extends HandlerPolicy {
  style: 'single';
  /** How many events at once. */
  concurrency: number;
  /** Rejects when the attempt failed, or with a SourceDownError. */
  handleEvent: (event: HandlerEvent, context: HandlerContext) => Promise<Outcome>;
}

export interface BatchHandler extends HandlerPolicy {
  style: 'batch';
  /** How many events one call takes at most. */
  batch: number;
  /** How many batches at once. */
  concurrency: number;
  /** Resolves to the outcomes of the first events, in their order; the others are given back. Rejects: no event is to blame. */
  handleBatch: (events: readonly HandlerEvent[], context: HandlerContext) => Promise<Outcome[]>;
}

export interface TransactionHandler extends HandlerPolicy {
  style: 'transaction';
  /** How many events one transaction takes at most, one after the other. */
  batch: number;
  /** How many transactions at once. */
  concurrency: number;
  /** Rejects when the attempt failed, or with a SourceDownError. */
  handleIn: (event: HandlerEvent, trx: UserTransaction, context: HandlerContext) => Promise<Outcome>;
}

/** The handler of one kind, as a consumer knows it. */
export type KindHandler = SingleHandler | BatchHandler | TransactionHandler;

/**
 * A handler throws it when its source is down: no event is to blame, nothing is counted, and this process leaves the kind
 * alone for at least `pauseMs`. @default 0
 */
export class SourceDownError extends Error {
  override readonly name = 'SourceDownError';
  readonly pauseMs: number;

  constructor(pauseMs = 0, message = 'the source is down', options?: ErrorOptions) {
    super(message, options);
    this.pauseMs = pauseMs;
  }
}
