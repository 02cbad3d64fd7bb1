import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { packageVersion } from './package-version.ts';
import type { Peer } from './peer.ts';

const QUEUE = 'nothing';
const CONCURRENCY = 200;

export const bullmq: Peer = {
  name: 'BullMQ',
  version: packageVersion('bullmq'),
  server: 'redis',
  does: 'a call of the processor; the job is deleted',
  settings: {
    add: 'queue.add, one connection, removeOnComplete',
    bulk: 'queue.addBulk, 100 a call, 4 calls at once',
    drain: `concurrency ${CONCURRENCY}, removeOnComplete`,
    latency: 'as for drain; woken by a blocking read',
  },
  bulk: { jobs: 100, callers: 4 },
  drainJobs: 100_000,
  recovery: {
    worst: '60 s',
    setting: 'lockDuration (30 s) and stalledInterval (30 s): found by the second check',
    source: 'guide/workers/stalled-jobs.md and moveStalledJobsToWait',
  },

  prepare: async () => {},

  async connect(url) {
    const redis = new Redis(url);
    // guide/queues/auto-removal-of-jobs.md: “as the solution reaches a production-grade level, we usually need to
    // restrict the number of finished jobs to be kept”; removing them all is the least work for Redis.
    // enableAutoPipelining of ioredis made single adds slower.
    const queue = new Queue(QUEUE, {
      connection: new Redis(url, { maxRetriesPerRequest: null }),
      defaultJobOptions: { removeOnComplete: true, removeOnFail: true },
    });
    await queue.waitUntilReady();
    return {
      add: async () => (await queue.add('nothing', {})).id!,
      addMany: async (jobs) => {
        await queue.addBulk(Array.from({ length: jobs }, () => ({ name: 'nothing', data: {} })));
      },
      settle: async () => {},
      isDone: async (id) => (await redis.exists(`bull:${QUEUE}:${id}`)) === 0,
      isDrained: async () =>
        Object.values(await queue.getJobCounts('wait', 'active', 'prioritized', 'delayed')).every((n) => n === 0),
      close: async () => {
        await queue.close();
        redis.disconnect();
      },
    };
  },

  async work(url, _metric, onJobs) {
    // guide/parallelism-and-concurrency.md: “Something between 100 and 300 is a quite standard setting”; 200 was the
    // fastest on two cores.
    const worker = new Worker(QUEUE, async () => onJobs(1), {
      connection: new Redis(url, { maxRetriesPerRequest: null }),
      concurrency: CONCURRENCY,
    });
    worker.on('error', (error) => console.error(error));
    await worker.waitUntilReady();
    return { stop: () => worker.close() };
  },
};
