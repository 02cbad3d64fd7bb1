import { setTimeout as sleep } from 'node:timers/promises';
import { measureAddToDone } from '../add-to-done.ts';
import type { Latency, Metric, Peer } from './peer.ts';

/** What a child process is told to do, and what it answers. */
export type Task =
  | { do: 'add' | 'bulk'; peer: string; url: string; warmUpMs: number; measureMs: number }
  | { do: 'fill'; peer: string; url: string; metric: Metric; jobs: number }
  | { do: 'drain'; peer: string; url: string; jobs: number }
  | { do: 'work'; peer: string; url: string }
  | ({ do: 'look'; peer: string; url: string } & LatencyTask);

export interface LatencyTask {
  metric: Latency;
  jobs: number;
  perSecond: number;
}

/** Latencies in ascending order. */
export type Answer = { perSecond: number } | { latenciesMs: number[] } | 'done';

const CALLERS = 64;

/** Adds one by one with 64 callers at once, each of which waits for its answer. Jobs per second. */
export async function measureAdds(peer: Peer, url: string, warmUpMs: number, measureMs: number): Promise<number> {
  await peer.prepare(url, 'add');
  const producer = await peer.connect(url);
  const add = async () => {
    await producer.add();
    return 1;
  };
  const perSecond = await measureCallers(CALLERS, add, warmUpMs, measureMs);
  await producer.close();
  return perSecond;
}

/** The same with the peer's bulk API. */
export async function measureBulkAdds(peer: Peer, url: string, warmUpMs: number, measureMs: number): Promise<number> {
  await peer.prepare(url, 'bulk');
  const producer = await peer.connect(url);
  const { jobs, callers } = peer.bulk;
  const addMany = async () => {
    await producer.addMany(jobs);
    return jobs;
  };
  const perSecond = await measureCallers(callers, addMany, warmUpMs, measureMs);
  await producer.close();
  return perSecond;
}

/** Counts what was answered while measuring; a bulk call that straddles the end counts for the part before it. */
async function measureCallers(
  callers: number,
  call: () => Promise<number>,
  warmUpMs: number,
  measureMs: number,
): Promise<number> {
  const from = performance.now() + warmUpMs;
  const until = from + measureMs;
  let jobs = 0;
  const caller = async () => {
    for (let begun = performance.now(); begun < until; begun = performance.now()) {
      const done = await call();
      const ended = performance.now();
      const within = Math.min(ended, until) - Math.max(begun, from);
      if (within > 0) jobs += (done * within) / (ended - begun);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return (jobs * 1_000) / measureMs;
}

/** Makes the tables and a backlog. */
export async function fill(peer: Peer, url: string, metric: Metric, jobs: number): Promise<void> {
  await peer.prepare(url, metric);
  const producer = await peer.connect(url);
  for (let left = jobs; left > 0; left -= peer.bulk.jobs) await producer.addMany(Math.min(left, peer.bulk.jobs));
  if (jobs > 0) await producer.settle();
  await producer.close();
}

/** Works off the backlog. Jobs per second, from when the worker is told to start until nothing is left in the table. */
export async function measureDrain(peer: Peer, url: string, jobs: number): Promise<number> {
  const producer = await peer.connect(url);
  const allRan = Promise.withResolvers<void>();
  let left = jobs;
  const onJobs = (ran: number) => {
    left -= ran;
    if (left <= 0) allRan.resolve();
  };
  const startedAt = performance.now();
  const worker = await peer.work(url, 'drain', onJobs);
  await allRan.promise;
  while (!(await producer.isDrained())) await sleep(5);
  const seconds = (performance.now() - startedAt) / 1_000;
  await worker.stop();
  await producer.close();
  return jobs / seconds;
}

/** In ms, of a worker in another process, or in this one. */
export async function measureLatency(
  peer: Peer,
  url: string,
  { metric, jobs, perSecond }: LatencyTask,
): Promise<number[]> {
  const producer = await peer.connect(url);
  const worker = metric === 'one-process' ? await peer.work(url, metric, () => {}) : undefined;
  const latenciesMs = await measureAddToDone(producer, { jobs, perSecond });
  await worker?.stop();
  await producer.close();
  return latenciesMs;
}
