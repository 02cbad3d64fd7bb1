import pg from 'pg';
import { PgBoss } from 'pg-boss';
import { packageVersion } from './package-version.ts';
import { isLatency, type Peer } from './peer.ts';

const QUEUE = 'nothing';
const BATCH = 500;
const WORKERS = 4;

export const pgBoss: Peer = {
  name: 'pg-boss',
  version: packageVersion('pg-boss'),
  server: 'postgresql',
  does: 'a call for a batch; the job is kept',
  settings: {
    add: 'boss.send, pool of 10',
    bulk: 'boss.insert, 1,000 a call, 4 calls at once',
    drain: `batchSize ${BATCH}, localConcurrency ${WORKERS}, burstWhenBatchFull`,
    latency: 'batchSize 10, useListenNotify, queue with notify',
  },
  bulk: { jobs: 1_000, callers: 4 },
  drainJobs: 100_000,
  recovery: {
    worst: '16 min',
    setting:
      'expireInSeconds (15 min) + monitorIntervalSeconds (60 s); with heartbeatSeconds, off by default, 1 to 2 min',
    source: 'docs/api/queues.md, “Heartbeat vs expiration”',
  },

  async prepare(connectionString, metric) {
    const boss = await open(connectionString);
    // docs/api/workers.md, “Low-latency dispatch”: woken at once. It costs each insert a NOTIFY, so only for latency.
    await boss.createQueue(QUEUE, { notify: isLatency(metric) });
    await boss.stop({ graceful: false });
  },

  async connect(connectionString) {
    const boss = await open(connectionString);
    const db = new pg.Pool({ connectionString, max: 2 });
    return {
      add: async () => (await boss.send(QUEUE, {}))!,
      addMany: async (jobs) => {
        await boss.insert(
          QUEUE,
          Array.from({ length: jobs }, () => ({ data: {} })),
        );
      },
      settle: async () => {
        await db.query('VACUUM ANALYZE');
      },
      isDone: async (id) =>
        (await db.query(`SELECT 1 FROM pgboss.job WHERE name = $1 AND id = $2 AND state = 'completed'`, [QUEUE, id]))
          .rows.length === 1,
      isDrained: async () =>
        (await db.query(`SELECT 1 FROM pgboss.job WHERE name = $1 AND state < 'completed' LIMIT 1`, [QUEUE])).rows
          .length === 0,
      close: async () => {
        await boss.stop({ graceful: false });
        await db.end();
      },
    };
  },

  async work(connectionString, metric, onJobs) {
    const boss = await open(connectionString, isLatency(metric));
    // docs/api/workers.md: a batch handler, which fetches again at once while batches come back full. 500 and 4 were the
    // fastest of what was tried on two cores. (orderByCreatedOn and priority no longer change anything.)
    const drain = { batchSize: BATCH, localConcurrency: WORKERS, burstWhenBatchFull: true };
    // With a batch of 1, the second of two jobs that come together would wait for the next notification.
    const latency = { batchSize: 10 };
    await boss.work(QUEUE, metric === 'drain' ? drain : latency, async (jobs) => onJobs(jobs.length));
    return { stop: () => boss.stop({ graceful: false }) };
  },
};

async function open(connectionString: string, useListenNotify = false): Promise<PgBoss> {
  const boss = new PgBoss({ connectionString, useListenNotify });
  boss.on('error', (error) => console.error(error));
  await boss.start();
  return boss;
}
