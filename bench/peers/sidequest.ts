import { sql } from 'kysely';
import { Sidequest, type SidequestConfig } from 'sidequest';
import { connectDatabase } from '../../database/connect.ts';
import { packageVersion } from './package-version.ts';
import { isLatency, type Peer } from './peer.ts';
import { NothingJob, ran } from './sidequest-job.ts';

const CONCURRENCY = 200;
const POOL = 50;

export const sidequest: Peer = {
  name: 'Sidequest',
  version: packageVersion('sidequest'),
  server: 'mysql',
  does: 'a call of the job class; the job is kept',
  settings: {
    add: `Sidequest.build().enqueue, pool of ${POOL}`,
    bulk: '64 adds at once: there is no bulk API',
    drain: `runner inline, fork false, maxConcurrentJobs ${CONCURRENCY}, pool of ${POOL}`,
    latency: 'as for drain; jobPollingInterval 5 ms (default 100)',
  },
  bulk: { jobs: 64, callers: 1 },
  drainJobs: 4_000,
  recovery: {
    worst: '70 min (61 min for a job that was claimed and not begun)',
    setting: 'releaseStaleJobsMaxStaleMs (10 min), or the job’s timeout, + releaseStaleJobsIntervalMin (60 min)',
    source: 'getting-started/configuration.md',
  },

  async prepare(url) {
    await Sidequest.configure(configOf(url));
    await Sidequest.stop();
  },

  async connect(url) {
    await Sidequest.configure({ ...configOf(url), skipMigration: true });
    const db = connectDatabase({ url, poolSize: 2, queueWaitMs: 10_000 }); // a look may be late, not fail
    const add = async () => String((await Sidequest.build(NothingJob).enqueue()).id);
    return {
      add,
      addMany: async (jobs) => {
        await Promise.all(Array.from({ length: jobs }, add));
      },
      settle: async () => {
        await sql`ANALYZE TABLE sidequest_jobs`.execute(db);
      },
      isDone: async (id) =>
        (await sql`SELECT 1 FROM sidequest_jobs WHERE id = ${id} AND state = 'completed'`.execute(db)).rows.length ===
        1,
      isDrained: async () =>
        (await sql`SELECT 1 FROM sidequest_jobs WHERE state IN ('waiting', 'claimed', 'running') LIMIT 1`.execute(db))
          .rows.length === 0,
      close: async () => {
        await Sidequest.stop();
        await db.destroy();
      },
    };
  },

  async work(url, metric, onJobs) {
    ran.onJobs = onJobs;
    await Sidequest.start({
      ...configOf(url),
      skipMigration: true,
      ...(isLatency(metric) ? { jobPollingInterval: 5 } : {}),
    });
    return { stop: () => Sidequest.stop() };
  },
};

// production/execution-modes.md: inline and without a fork has the least overhead. production/backends.md: “configure
// connection pooling”. configuration.md: the queue's own concurrency (10 by default) bounds as well. The numbers were the
// fastest of those tried.
function configOf(url: string) {
  return {
    backend: { driver: '@sidequest/mysql-backend', config: { connection: url, pool: { min: 2, max: POOL } } },
    queues: [{ name: 'default', concurrency: CONCURRENCY }],
    maxConcurrentJobs: CONCURRENCY,
    fork: false,
    runner: 'inline' as const,
    gracefulShutdown: false,
    logger: { level: 'error' as const, json: false },
    dashboard: { enabled: false },
  } satisfies SidequestConfig;
}
