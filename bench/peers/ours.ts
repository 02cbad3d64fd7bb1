import { sql } from 'kysely';
import { createJsonReport } from '../../consumer/report/json-report.ts';
import { runConsumer } from '../../consumer/run-consumer.ts';
import { connectDatabase } from '../../database/connect.ts';
import { findEvent } from '../../database/events/read.ts';
import { loadSchema } from '../../database/load-schema.ts';
import { defineHandlers } from '../../handlers/define-handlers.ts';
import { createBatcher } from '../../producer/create-batcher.ts';
import { packageVersion } from './package-version.ts';
import type { Metric, Peer } from './peer.ts';

const MOST_AT_ONCE = 10_000; // what POST /create-async?count= takes

/** This repository, by what its producer and its consumer call within their processes: no HTTP, as with the others. */
export const ours: Peer = {
  name: 'ours',
  version: packageVersion('ours'),
  server: 'mysql',
  settings: {
    add: 'createBatcher with its defaults: 1,000 requests a transaction',
    bulk: 'createBatcher, 10,000 a call',
    drain: 'the defaults: CONSUMER_BATCH 1,000, CONSUMER_CONCURRENCY 2',
    latency: 'the defaults: CONSUMER_POLL_MS 100',
  },
  bulk: { jobs: MOST_AT_ONCE, callers: 2 },
  drainJobs: 250_000,
  recovery: { worst: '32 s', setting: 'LEASE_MS (30 s)', source: 'docs/guarantees.md, promise 3, and its test' },

  async prepare(url) {
    const db = connectDatabase({ url, poolSize: 1 });
    await loadSchema(db);
    await db.destroy();
  },

  async connect(url) {
    const db = connectDatabase({ url });
    const create = createBatcher({ db, maxRequests: 1_000, maxQueued: 50_000 });
    return {
      add: async () => String(await create([{}])),
      addMany: async (jobs) => {
        await create(Array.from({ length: jobs }, () => ({})));
      },
      settle: async () => {
        await sql`ANALYZE TABLE Events`.execute(db);
      },
      isDone: async (id) => (await findEvent(db, Number(id)))?.status === 'filled',
      isDrained: async () => (await sql`SELECT 1 FROM Events WHERE open = 1 LIMIT 1`.execute(db)).rows.length === 0,
      close: () => db.destroy(),
    };
  },

  work: (url, _metric, onJobs) => startWorker(url, 100, onJobs),
};

/** The same with another poll, where that matters. */
export const oursPollingFast: Peer = {
  ...ours,
  name: 'ours polling at 5 ms',
  metrics: ['latency'],
  settings: { ...ours.settings, latency: 'CONSUMER_POLL_MS 5' } satisfies Record<Metric, string>,
  work: (url, _metric, onJobs) => startWorker(url, 5, onJobs),
};

async function startWorker(url: string, pollMs: number, onJobs: (jobs: number) => void) {
  const db = connectDatabase({ url });
  const stop = new AbortController();
  const running = runConsumer({
    db,
    handlers: defineHandlers({
      word: {
        batch: 1_000,
        handleBatch: (events) => {
          onJobs(events.length);
          return events.map(() => 'nada');
        },
      },
    }),
    signal: stop.signal,
    report: createJsonReport('warn', 'peers'),
    name: 'peers',
    pollMs,
  });
  return {
    stop: async () => {
      stop.abort();
      await running;
      await db.destroy();
    },
  };
}
