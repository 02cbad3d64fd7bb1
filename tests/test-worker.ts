import { vi } from 'vitest';
import type { ConsumerDeps } from '../consumer/options.ts';
import { createWorkerState, runWorker } from '../consumer/worker.ts';
import type { Database } from '../database/connect.ts';
import type { BatchHandler, HandlerEvent, KindHandler, Outcome, SingleHandler } from '../handlers/handler.ts';
import { createRecordingReport } from './recording-report.ts';

const NEVER = new AbortController().signal;
const POLICY = {
  attempts: 2,
  retryDelayMs: () => 60_000,
  timeoutMs: 600_000,
  log: 'failures' as const,
  logKey: undefined,
};

export type HandleBatch = BatchHandler['handleBatch'];
export type HandleEvent = SingleHandler['handleEvent'];

/** A handler of batches of ten words, one batch at a time. */
export function batchHandler(handleBatch: HandleBatch, options: Partial<BatchHandler> = {}): BatchHandler {
  return { ...POLICY, kind: 'word', style: 'batch', batch: 10, concurrency: 1, handleBatch, ...options };
}

/** A handler of single events of the kind `job`, ten at a time. */
export function singleHandler(handleEvent: HandleEvent, options: Partial<SingleHandler> = {}): SingleHandler {
  return { ...POLICY, kind: 'job', style: 'single', concurrency: 10, handleEvent, ...options };
}

/** A worker that ends when nothing is due. */
export function createWorker(db: Database, handlers: KindHandler[], options: Partial<ConsumerDeps> = {}) {
  const report = createRecordingReport();
  const giveUp = new AbortController();
  const pace = { pollMs: 5, leaseMs: 30_000, once: true, logTtlMs: 60_000 };
  const deps: ConsumerDeps = {
    db,
    report,
    claimedBy: 'a',
    installationId: 'test',
    giveUp: giveUp.signal,
    ...pace,
    ...options,
  };
  const state = createWorkerState(deps, handlers);
  return { deps, report, state, giveUp, run: (signal = NEVER) => runWorker(deps, state, signal) };
}

interface Call {
  ids: number[];
  signal: AbortSignal;
  answer: (outcomes: Outcome[]) => void;
  fail: (error: unknown) => void;
}

/** Handlers that answer when the test does. */
export function createHandHandler() {
  const calls: Call[] = [];
  const call = (events: readonly HandlerEvent[], signal: AbortSignal) => {
    const { promise, resolve, reject } = Promise.withResolvers<Outcome[]>();
    calls.push({ ids: events.map(({ id }) => id), signal, answer: resolve, fail: reject });
    return promise;
  };
  return {
    calls,
    called: (times: number) => vi.waitFor(() => calls[times - 1] ?? Promise.reject(new Error('not called')), 10_000),
    handleBatch: ((events, { signal }) => call(events, signal)) satisfies HandleBatch,
    handleEvent: (async (event, { signal }) => (await call([event], signal))[0]!) satisfies HandleEvent,
  };
}
