import type { HandlerContext, HandlerEvent, HandlerInput, LogMode, UserTransaction } from './handler.ts';
import type { Result } from './outcome.ts';
import type { StandardSchema } from './standard-schema.ts';

/** What the handler of each kind may set. */
export interface HandlerOptions {
  /** An event is dead after so many failures, 1 to 1,000,000. @default 5 */
  attempts?: number;
  /**
   * The pause after a failure in ms, at most a year: fixed, or made of the number of failures, from 1.
   * @default 10 s, doubled with each failure, at most 10 minutes
   */
  retryDelayMs?: number | ((failures: number) => number);
  /** How long one call may take, 1 to 2,147,483,647 ms. Then its signal is aborted, and the attempt failed. @default 60_000 */
  timeoutMs?: number;
  /**
   * How many calls of the handler run at once: 1 to 10,000 events, 1 to 100 batches, or 1 to 10 transactions.
   * @default 10 events, 2 batches, or 2 transactions
   */
  concurrency?: number;
  /** Which attempts leave a line in the log: none, those that failed, or all. @default 'failures' */
  log?: LogMode;
  /** A member of the payload, such as a message's own id, whose text or number the log is searched by. @default none */
  logKey?: string;
}

/** A handler that is given a payload of this type. */
interface PayloadOptions<Payload> {
  /** Any Standard Schema. A payload that does not fit is dead at once. @default every payload fits */
  payload?: StandardSchema<Payload>;
}

/** Handles one event, at least once. What it throws is a failure. */
type Handle<Payload = unknown> = (event: HandlerInput<Payload>, context: HandlerContext) => Result | Promise<Result>;

export interface SingleDefinition<Payload = unknown> extends HandlerOptions, PayloadOptions<Payload> {
  handle: Handle<Payload>;
  handleBatch?: never;
  inTransaction?: never;
}

/**
 * Handles many events in one call. Resolves to a result for each, in their order; an Error is the failure of that event alone.
 * Events without a result are given back. What it throws is no event's fault.
 */
type HandleBatch<Payload = unknown> = (
  events: readonly HandlerEvent<Payload>[],
  context: HandlerContext,
) => readonly (Result | Error)[] | Promise<readonly (Result | Error)[]>;

export interface BatchDefinition<Payload = unknown> extends HandlerOptions, PayloadOptions<Payload> {
  handleBatch: HandleBatch<Payload>;
  handle?: never;
  inTransaction?: never;
  /** How many events one call takes at most, 1 to 10,000. @default 100 */
  batch?: number;
}

/**
 * Handles one event in the transaction that fills it: what it writes by `trx` is committed with its value, once. For short work
 * on the database only: `batch` events share the transaction and its TRANSACTION_MS.
 */
type InTransaction<Payload = unknown> = (
  event: HandlerInput<Payload>,
  trx: UserTransaction,
  context: HandlerContext,
) => Result | Promise<Result>;

export interface TransactionDefinition<Payload = unknown>
  extends Omit<HandlerOptions, 'timeoutMs'>,
    PayloadOptions<Payload> {
  inTransaction: InTransaction<Payload>;
  handle?: never;
  handleBatch?: never;
  /** How many events share one transaction at most, 1 to 10,000. @default 200 */
  batch?: number;
}

export type Definition<Payload = unknown> =
  | Handle<Payload>
  | SingleDefinition<Payload>
  | BatchDefinition<Payload>
  | TransactionDefinition<Payload>;
