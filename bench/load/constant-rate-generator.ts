import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import type { ConstantRate, Latencies, LoadResult } from './constant-rate.ts';

// autocannon 9.0.0 does not serve for this. It sends each second's requests all at once: of 20 a second every one
// arrived within 4 ms. And its correction for coordinated omission takes 1 ms for the interval between requests,
// whatever the rate: answers that took 100 ms each had a p50 of 52 ms.

const CALLERS = 64;
const MICROSECONDS = 1_000;

const load = JSON.parse(process.argv[2]!) as ConstantRate;
const { origin, pathname, search } = new URL(load.url);
const { connections = 1_024 } = load;
// nginx closes an idle connection after 60 s. Ours go before, so that none closes while a request is on its way.
// Not as many connections as there are requests: undici asks one after the other if it is free, and after a stall of 5 s,
// with 20,000 due at once, that kept this process busy for so long that it never caught up.
const pool = new Pool(origin, { connections, headersTimeout: 0, bodyTimeout: 0, keepAliveTimeout: 30_000 });
const all = newHistogram();
const windows: RecordableHistogram[] = [];
const startedAt = performance.now();
const endMs = (load.warmUpSeconds + load.seconds) * 1_000;
let sent = 0;
let failed = 0;
let firstFailure: string | undefined;
let lastAnswerAt = 0;

if (load.rate === 'full speed') await atFullSpeed();
else await onSchedule(load.rate);
await pool.close();
const result: LoadResult = {
  sent,
  failed,
  ...(firstFailure ? { firstFailure } : {}),
  all: latencies(all),
  windows: Array.from(windows, latencies),
  lastAnswerAt,
};
process.stdout.write(JSON.stringify(result));

/** Each at a random moment of its slot: else a rate that divides the server's ticks would always meet the same one. */
async function onSchedule(rate: number): Promise<void> {
  const underWay = new Set<Promise<void>>();
  const total = Math.round((endMs / 1_000) * rate);
  const dueMs = (number: number) => ((number + Math.random()) / rate) * 1_000;
  for (let next = dueMs(0); sent < total; ) {
    if (next > elapsedMs()) {
      await sleep(1);
      continue;
    }
    const request = post(next).finally(() => underWay.delete(request));
    underWay.add(request);
    next = dueMs(sent);
  }
  await Promise.all(underWay);
}

async function atFullSpeed(): Promise<void> {
  const caller = async () => {
    while (elapsedMs() < endMs) await post(elapsedMs());
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
}

async function post(dueMs: number): Promise<void> {
  sent++;
  try {
    const { statusCode, body } = await pool.request({ method: 'POST', path: pathname + search });
    await body.dump();
    if (statusCode < 200 || statusCode > 299) throw new Error(`answered ${statusCode}`);
  } catch (error) {
    failed++;
    firstFailure ??= String(error);
    return;
  }
  lastAnswerAt = Date.now();
  const measuredMs = dueMs - load.warmUpSeconds * 1_000;
  if (measuredMs < 0) return;
  const latency = Math.max(1, Math.round((elapsedMs() - dueMs) * MICROSECONDS));
  all.record(latency);
  const window = Math.floor(measuredMs / 1_000 / load.windowSeconds);
  for (let missing = windows.length; missing <= window; missing++) windows.push(newHistogram());
  windows[window]!.record(latency);
}

function elapsedMs(): number {
  return performance.now() - startedAt;
}

function newHistogram(): RecordableHistogram {
  return createHistogram({ lowest: 1, highest: 3_600 * 1e6, figures: 3 });
}

function latencies(histogram: RecordableHistogram): Latencies {
  const ms = (microseconds: number) => microseconds / MICROSECONDS;
  return {
    answered: histogram.count,
    p50: ms(histogram.percentile(50)),
    p95: ms(histogram.percentile(95)),
    p99: ms(histogram.percentile(99)),
    most: ms(histogram.max),
  };
}
