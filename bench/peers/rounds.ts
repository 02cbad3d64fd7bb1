import { quantile } from '../quantile.ts';
import type { ComparisonOptions } from './comparison.ts';
import { format } from './format.ts';
import { METRICS, type Metric, type Peer, type ServerKind } from './peer.ts';
import type { Server } from './server.ts';
import type { Answer, LatencyTask } from './task.ts';
import { answerOf, release, runTask, startTask } from './task-process.ts';

const FULL = { rounds: 3, warmUpMs: 1_000, measureMs: 4_000, drainShare: 1, looks: 120, perSecond: 20 };
const QUICK = { rounds: 1, warmUpMs: 300, measureMs: 1_000, drainShare: 0.1, looks: 20, perSecond: 20 };

/** Keyed by peer and metric. Each round begins with another peer, so that none always follows the same one. */
export async function measureRounds(
  peers: readonly Peer[],
  servers: Map<ServerKind, Server>,
  { quick, metrics, say }: ComparisonOptions,
  signal: AbortSignal,
): Promise<Map<string, number[]>> {
  const scale = quick ? QUICK : FULL;
  const values = new Map<string, number[]>();
  const note = (key: string, value: number) => values.set(key, [...(values.get(key) ?? []), value]);
  for (const metric of METRICS.filter((name) => metrics.includes(name))) {
    const measured = peers.filter((peer) => peer.metrics?.includes(metric) ?? true);
    for (let round = 0; round < scale.rounds; round++) {
      for (const peer of [...measured.slice(round), ...measured.slice(0, round)]) {
        const url = await servers.get(peer.server)!.freshUrl();
        const results = await measure(peer, metric, url, scale, signal);
        for (const [name, value] of Object.entries(results)) note(`${peer.name} ${name}`, value);
        const said = Object.entries(results).map(([name, value]) => `${name} ${format(value)}`);
        say(`round ${round + 1} of ${scale.rounds}: ${peer.name}: ${said.join(', ')}`);
      }
    }
  }
  return values;
}

async function measure(
  peer: Peer,
  metric: Metric,
  url: string,
  scale: typeof FULL,
  signal: AbortSignal,
): Promise<Record<string, number>> {
  const { warmUpMs, measureMs, looks, perSecond } = scale;
  const job = { peer: peer.name, url };
  switch (metric) {
    case 'add':
    case 'bulk':
      return { [metric]: perSecondOf(await runTask({ do: metric, ...job, warmUpMs, measureMs }, signal)) };
    case 'drain': {
      const jobs = Math.ceil(peer.drainJobs * scale.drainShare);
      await runTask({ do: 'fill', ...job, metric, jobs }, signal);
      return { drain: perSecondOf(await runTask({ do: 'drain', ...job, jobs }, signal)) };
    }
    case 'two-processes': {
      await runTask({ do: 'fill', ...job, metric, jobs: 0 }, signal);
      const worker = startTask({ do: 'work', ...job }, signal);
      try {
        await answerOf(worker); // it looks for jobs from now on
        return await measureLatency({ ...job, metric, jobs: looks, perSecond }, signal);
      } finally {
        await release(worker);
      }
    }
    case 'one-process': {
      await runTask({ do: 'fill', ...job, metric, jobs: 0 }, signal);
      return measureLatency({ ...job, metric, jobs: looks, perSecond }, signal);
    }
  }
}

async function measureLatency(
  task: LatencyTask & { peer: string; url: string },
  signal: AbortSignal,
): Promise<Record<string, number>> {
  const { latenciesMs } = (await runTask({ do: 'look', ...task }, signal)) as { latenciesMs: number[] };
  return {
    [`${task.metric} p50`]: quantile(latenciesMs, 0.5),
    [`${task.metric} p95`]: quantile(latenciesMs, 0.95),
  };
}

const perSecondOf = (answer: Answer) => (answer as { perSecond: number }).perSecond;
