import type { Database } from '../database/connect.ts';
import type { RetryPolicy } from '../database/events/settle.ts';
import type { BatchHandler } from '../handlers/handler.ts';
import type { Report } from './report/report.ts';

export interface ConsumerOptions {
  db: Database;
  handler: BatchHandler;
  /** Aborted: nothing more is claimed, and the events in progress are finished. @default never */
  signal?: AbortSignal;
  /** How long they may take from then on; after it they are given back. @default 8_000 */
  finishMs?: number;
  /** @default JSON lines on stdout */
  report?: Report;
  /** The beginning of `claimed_by`, at most 32 characters; several consumers may have the same. @default 'consumer' */
  name?: string;
  /** How many events one claim takes at most. @default 1_000 */
  batch?: number;
  /** How many batches may run at once. @default 2 */
  concurrency?: number;
  /** Sleep when nothing was due; with less than a batch due, longest wait before the next claim. @default 100 */
  pollMs?: number;
  /** Resolve when nothing is due. @default false */
  once?: boolean;
  /** How long a claim holds; after it, the events of a consumer that died are claimed again. @default 30_000 */
  leaseMs?: number;
  /** @default { maxAttempts: 5, firstDelayMs: 10_000, maxDelayMs: 600_000 } */
  retry?: RetryPolicy;
}

export const CONSUMER_DEFAULTS = {
  finishMs: 8_000,
  batch: 1_000,
  concurrency: 2,
  pollMs: 100,
  once: false,
  leaseMs: 30_000,
  retry: { maxAttempts: 5, firstDelayMs: 10_000, maxDelayMs: 600_000 },
};

type NotForTheWork = 'handler' | 'signal' | 'finishMs' | 'name';

/** What the work itself is given: the options with their defaults, and the handler's members. */
export interface ConsumerDeps extends Required<Omit<ConsumerOptions, NotForTheWork>>, BatchHandler {
  /** Unlike that of any other consumer; the first part of `claimed_by`. */
  consumer: string;
  /** Aborted: the handler ends, and what it has not served is given back. */
  giveUp: AbortSignal;
}
