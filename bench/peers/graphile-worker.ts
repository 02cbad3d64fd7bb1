import { Logger, makeWorkerUtils, run } from 'graphile-worker';
import pg from 'pg';
import { packageVersion } from './package-version.ts';
import type { Peer } from './peer.ts';

// website/docs/performance.md of its repository, “Quick stats”: the configuration of its own published numbers. Only
// concurrentJobs and the pool would be larger on a larger machine.
const WORKER = {
  concurrentJobs: 24,
  maxPoolSize: 25,
  localQueue: { size: 500 },
  completeJobBatchDelay: 0,
  failJobBatchDelay: 0,
};
const ADD_POOL = WORKER.maxPoolSize; // 10, its default, and 64 gave about the same
const quiet = new Logger(() => () => {});

export const graphileWorker: Peer = {
  name: 'graphile-worker',
  version: packageVersion('graphile-worker'),
  server: 'postgresql',
  does: 'a call of the task; the job is deleted',
  settings: {
    add: `utils.addJob, maxPoolSize ${ADD_POOL}`,
    bulk: 'utils.addJobs, 1,000 a call, 4 calls at once',
    drain: 'concurrentJobs 24, localQueue 500, completeJobBatchDelay 0, no log line per job',
    latency: 'as for drain; woken by LISTEN/NOTIFY',
  },
  bulk: { jobs: 1_000, callers: 4 },
  drainJobs: 250_000,
  recovery: {
    worst: '4 h 10 min',
    setting: '4 hours, fixed, plus maxResetLockedInterval (10 min); Worker Pro recovers sooner',
    source: 'performance.md and dist/sql/resetLockedAt.js',
  },

  async prepare(connectionString) {
    const utils = await makeWorkerUtils({ connectionString, logger: quiet });
    await utils.migrate();
    await utils.release();
  },

  async connect(connectionString) {
    const utils = await makeWorkerUtils({ connectionString, maxPoolSize: ADD_POOL, logger: quiet });
    const db = new pg.Pool({ connectionString, max: 2 });
    return {
      add: async () => (await utils.addJob('nothing', {})).id,
      addMany: async (jobs) => {
        await utils.addJobs(Array.from({ length: jobs }, () => ({ identifier: 'nothing', payload: {} })));
      },
      settle: async () => {
        await db.query('VACUUM ANALYZE');
      },
      // A finished job is deleted. The private table, as its own latency test does: the view joins others.
      isDone: async (id) =>
        (await db.query('SELECT 1 FROM graphile_worker._private_jobs WHERE id = $1', [id])).rows.length === 0,
      isDrained: async () => (await db.query('SELECT 1 FROM graphile_worker._private_jobs LIMIT 1')).rows.length === 0,
      close: async () => {
        await utils.release();
        await db.end();
      },
    };
  },

  async work(connectionString, _metric, onJobs) {
    // As its own load test does: without it each job writes a line.
    process.env['NO_LOG_SUCCESS'] = '1';
    const runner = await run({
      preset: { worker: { ...WORKER, connectionString } },
      logger: quiet,
      noHandleSignals: true,
      taskList: { nothing: () => onJobs(1) },
    });
    return { stop: () => runner.stop() };
  },
};
