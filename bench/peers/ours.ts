import { sql } from 'kysely';
import { createJsonReport } from '../../consumer/report/json-report.ts';
import { runConsumer } from '../../consumer/run-consumer.ts';
import { connectDatabase, type Database } from '../../database/connect.ts';
import { findEvent } from '../../database/events/read.ts';
import { loadSchemaAt } from '../../database/load-schema-at.ts';
import { defineHandlers } from '../../handlers/define-handlers.ts';
import type { Handlers } from '../../handlers/handlers.ts';
import { createBatcher } from '../../producer/create-batcher.ts';
import { packageVersion } from './package-version.ts';
import type { Peer } from './peer.ts';

const MOST_AT_ONCE = 10_000; // what POST /create-async?count= takes

/** This repository, by what its producer and its consumer call within their processes: no HTTP, as with the others. */
export const oursWords: Peer = {
  ...oursWith({}, (onJobs) =>
    defineHandlers({
      word: {
        batch: 1_000,
        handleBatch: (events) => {
          onJobs(events.length);
          return events.map(() => 'nada');
        },
      },
    }),
  ),
  name: 'ours: words',
  does: 'a call for a batch; a value is written into the event, which is kept',
  metrics: ['add', 'bulk', 'drain'],
  settings: {
    add: 'createBatcher with its defaults: 1,000 requests a transaction',
    bulk: 'createBatcher, 10,000 a call',
    drain: 'handleBatch, 1,000 events a call, 2 calls at once',
  },
  recovery: { worst: '32 s', setting: 'LEASE_MS (30 s)', source: 'docs/guarantees.md, promise 3, and its test' },
};

export const oursFunction: Peer = {
  ...oursWith({ kind: 'nothing' }, (onJobs) =>
    defineHandlers({ nothing: { concurrency: 500, handle: () => (onJobs(1), null) } }),
  ),
  name: 'ours: plain function',
  does: 'a call for each; a value is written into the event, which is kept',
  metrics: ['drain', 'two-processes', 'one-process'],
  settings: {
    drain: 'handle, concurrency 500',
    latency: 'as for drain; the default polls, and woken by creates of the same process',
  },
};

export const oursInTransaction: Peer = {
  ...oursWith({ kind: 'nothing' }, (onJobs) =>
    defineHandlers({ nothing: { batch: 1_000, inTransaction: () => (onJobs(1), null) } }),
  ),
  name: 'ours: inTransaction',
  does: 'a call for each, in the transaction that writes a value into the event, which is kept',
  metrics: ['drain'],
  settings: { drain: 'inTransaction, 1,000 events a transaction, 2 at once' },
};

type OnJobs = (jobs: number) => void;

function oursWith(event: { kind?: string }, handlersFor: (onJobs: OnJobs) => Handlers) {
  const kind = event.kind ?? 'word';
  return {
    version: packageVersion('ours'),
    server: 'mysql',
    bulk: { jobs: MOST_AT_ONCE, callers: 2 },
    drainJobs: 200_000,

    prepare: async (url) => void (await loadSchemaAt(url)),

    async connect(url) {
      const db = open(url);
      const create = createBatcher({ db, maxRequests: 1_000, maxQueued: 50_000 });
      return {
        add: async () => String(await create([event])),
        addMany: async (jobs) => {
          await create(Array.from({ length: jobs }, () => event));
        },
        settle: async () => {
          await sql`ANALYZE TABLE Events`.execute(db);
        },
        isDone: async (id) => (await findEvent(db, Number(id)))?.status === 'filled',
        isDrained: async () => {
          const { rows } = await sql`
            SELECT Events.id FROM Kinds JOIN Events ON Events.kind = Kinds.id AND open = 1
            WHERE Kinds.name = ${kind} LIMIT 1`.execute(db);
          return rows.length === 0;
        },
        close: () => db.destroy(),
      };
    },

    async work(url, _metric, onJobs) {
      const stop = new AbortController();
      const running = runConsumer({
        db: open(url),
        handlers: handlersFor(onJobs),
        signal: stop.signal,
        report: createJsonReport('warn', 'peers'),
        name: 'peers',
      });
      return {
        stop: async () => {
          stop.abort();
          await running;
        },
      };
    },
  } satisfies Partial<Peer>;
}

const opened = new Map<string, Database>();

/** One for all of a process: by it a consumer hears of what the same process creates. */
function open(url: string): Database {
  const db = opened.get(url) ?? connectDatabase({ url });
  opened.set(url, db);
  return db;
}
