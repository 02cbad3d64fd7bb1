import type { Database } from '../database/connect.ts';
import type { Handlers } from '../handlers/handlers.ts';
import type { Report } from './report/report.ts';

export interface ConsumerOptions {
  db: Database;
  /** Of `defineHandlers`; their kinds are what this consumer claims. */
  handlers: Handlers;
  /** Aborted: nothing more is claimed, and the events in progress are finished. @default never */
  signal?: AbortSignal;
  /** How long they may take from then on; after it they are given back. @default 8_000 */
  finishMs?: number;
  /** @default JSON lines on stdout */
  report?: Report;
  /** The beginning of `claimed_by`, at most 32 characters; several consumers may have the same. @default 'consumer' */
  name?: string;
  /**
   * From one look at the table to the next while nothing is due; shorter while events come. Above 1,000, what a dead consumer
   * held is found later than the guarantees say. @default 100
   */
  pollMs?: number;
  /** Resolve when nothing is due. @default false */
  once?: boolean;
  /** How long a claim holds unless it is renewed; then the events of a consumer that died are claimed again. @default 30_000 */
  leaseMs?: number;
  /** How long lines of the log are kept; with several consumers the least counts. @default 604_800_000, a week */
  logTtlMs?: number;
}

export const CONSUMER_DEFAULTS = {
  finishMs: 8_000,
  pollMs: 100,
  once: false,
  leaseMs: 30_000,
  logTtlMs: 7 * 86_400_000,
};

/** What the parts of a consumer are given: the options with their defaults. */
export interface ConsumerDeps extends Required<Omit<ConsumerOptions, 'handlers' | 'signal' | 'finishMs' | 'name'>> {
  /** Unlike that of any other consumer: what stands in `claimed_by`. */
  claimedBy: string;
  /** Of the database, for handlers. */
  installationId: string;
  /** Aborted: handlers are waited for no longer, and their events are given back. */
  giveUp: AbortSignal;
}
