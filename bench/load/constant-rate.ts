import { fileURLToPath } from 'node:url';
import { runLoad } from './run-load.ts';

const GENERATOR = fileURLToPath(new URL('constant-rate-generator.ts', import.meta.url));

export interface ConstantRate {
  url: string;
  /** Requests per second, or `full speed`: 64 callers, each of which waits for its answer before it asks again. */
  rate: number | 'full speed';
  seconds: number;
  /** At the start, and beside `seconds`: sent, but not counted. */
  warmUpSeconds: number;
  /** The latencies are given for each stretch of this length. */
  windowSeconds: number;
  /** Most connections at once, default 1,024. When all are busy a request waits for one, and its latency goes on. */
  connections?: number;
}

export interface Latencies {
  answered: number;
  /** In ms. */
  p50: number;
  p95: number;
  p99: number;
  most: number;
}

export interface LoadResult {
  sent: number;
  /** Not answered at all, or not with 2xx. */
  failed: number;
  /** Why the first of them failed. */
  firstFailure?: string;
  all: Latencies;
  /** In order. A request belongs to the window in which it was due. */
  windows: Latencies[];
  /** By Date.now(). */
  lastAnswerAt: number;
}

/**
 * POSTs at a constant rate, from a process of its own, however slow the answers are: a request is sent when it is due,
 * not when an earlier one is done, and its latency counts from the moment it was due. So a server that stalls does not
 * keep the load away from itself (coordinated omission). Resolves when the last request is answered.
 */
export async function postAtConstantRate(load: ConstantRate, signal: AbortSignal): Promise<LoadResult> {
  return JSON.parse(await runLoad(process.execPath, [GENERATOR, JSON.stringify(load)], signal)) as LoadResult;
}
