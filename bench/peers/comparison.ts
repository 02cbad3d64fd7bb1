import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startMysql } from './mysql.ts';
import { METRICS, type Metric, type Peer, type Recovery, type ServerKind } from './peer.ts';
import { loadPeer, PEER_NAMES } from './peers.ts';
import { startPostgresql } from './postgresql.ts';
import { startRedis } from './redis.ts';
import { MissingProgramError, type Server } from './server.ts';
import type { Answer, Task } from './task.ts';

export interface ComparisonOptions {
  /** One short round, to see that all works; its numbers say little. */
  quick: boolean;
  /** How the names of the wanted peers begin; all when empty. */
  only: readonly string[];
  metrics: readonly Metric[];
  say: (line: string) => void;
}

export interface Row {
  peer: string;
  version: string;
  server: string;
  settings: string;
  metric: 'add' | 'bulk' | 'drain' | 'latency p50' | 'latency p95';
  unit: 'jobs/s' | 'ms';
  /** One for each round. */
  values: number[];
  median: number;
  lowest: number;
  highest: number;
}

export interface Comparison {
  startedAt: string;
  machine: string;
  node: string;
  quick: boolean;
  servers: { name: string; version: string; settings: string }[];
  rows: Row[];
  recovery: ({ peer: string } & Recovery)[];
  /** What was left out, and what to install. */
  skipped: string[];
}

const SERVERS: Record<ServerKind, (directory: string) => Promise<Server>> = {
  postgresql: startPostgresql,
  redis: startRedis,
  mysql: startMysql,
};
const FULL = { rounds: 3, warmUpMs: 1_000, measureMs: 4_000, drainShare: 1, looks: 120, perSecond: 20 };
const QUICK = { rounds: 1, warmUpMs: 300, measureMs: 1_000, drainShare: 0.1, looks: 20, perSecond: 20 };
// No task takes nearly as long; one that does waits for something that will not come.
const TASK_LIMIT_MS = 300_000;
const CHILD = fileURLToPath(new URL('child.ts', import.meta.url));

/** Measures all peers, one after the other, round by round. When `signal` is aborted it ends early, and throws. */
export async function comparePeers(options: ComparisonOptions, signal: AbortSignal): Promise<Comparison> {
  const { quick, only, say } = options;
  const directory = await mkdtemp(join(tmpdir(), 'peers-'));
  await chmod(directory, 0o755); // PostgreSQL is run as another user
  const servers = new Map<ServerKind, Server>();
  try {
    const names = PEER_NAMES.filter((name) => only.length === 0 || only.some((chosen) => name.startsWith(chosen)));
    const wanted = await Promise.all(names.map(loadPeer));
    const skipped = await startServers(wanted, servers, directory, signal);
    for (const line of skipped) say(line);
    const peers = wanted.filter(({ server }) => servers.has(server));
    const values = await measureRounds(peers, servers, options, signal);
    return {
      startedAt: new Date().toISOString(),
      machine: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`,
      node: process.version,
      quick,
      servers: Array.from(servers.values(), ({ name, version, settings }) => ({ name, version, settings })),
      rows: peers.flatMap((peer) => toRows(peer, servers.get(peer.server)!, values)),
      recovery: peers.filter(({ metrics }) => !metrics).map(({ name, recovery }) => ({ peer: name, ...recovery })),
      skipped,
    };
  } finally {
    await Promise.all(Array.from(servers.values(), (server) => server.stop()));
    await rm(directory, { recursive: true, force: true });
  }
}

async function startServers(
  peers: readonly Peer[],
  servers: Map<ServerKind, Server>,
  directory: string,
  signal: AbortSignal,
): Promise<string[]> {
  const skipped: string[] = [];
  for (const kind of new Set(peers.map(({ server }) => server))) {
    signal.throwIfAborted();
    try {
      servers.set(kind, await SERVERS[kind](join(directory, kind)));
    } catch (error) {
      if (!(error instanceof MissingProgramError)) throw error;
      const without = peers.filter(({ server }) => server === kind).map(({ name }) => name);
      skipped.push(`${error.message} Left out: ${without.join(', ')}.`);
    }
  }
  return skipped;
}

/** Keyed by peer and metric. Each round begins with another peer, so that none always follows the same one. */
async function measureRounds(
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
    case 'latency': {
      await runTask({ do: 'fill', ...job, metric, jobs: 0 }, signal);
      const worker = startTask({ do: 'work', ...job }, signal);
      try {
        await answerOf(worker); // it looks for jobs from now on
        const answer = await runTask({ do: 'look', ...job, jobs: looks, perSecond }, signal);
        const latencies = (answer as { latenciesMs: number[] }).latenciesMs.toSorted((a, b) => a - b);
        return { 'latency p50': quantile(latencies, 0.5), 'latency p95': quantile(latencies, 0.95) };
      } finally {
        await release(worker);
      }
    }
  }
}

function startTask(task: Task, signal: AbortSignal): ChildProcess {
  signal.throwIfAborted();
  const child = fork(CHILD, [JSON.stringify(task)]);
  const end = AbortSignal.any([signal, AbortSignal.timeout(TASK_LIMIT_MS)]);
  const kill = () => void child.kill('SIGKILL');
  end.addEventListener('abort', kill);
  child.once('exit', () => end.removeEventListener('abort', kill));
  return child;
}

async function runTask(task: Task, signal: AbortSignal): Promise<Answer> {
  const child = startTask(task, signal);
  try {
    return await answerOf(child);
  } finally {
    await release(child);
  }
}

function answerOf(child: ChildProcess): Promise<Answer> {
  return new Promise((resolve, reject) => {
    child.once('message', (answer) => resolve(answer as Answer));
    child.once('exit', (code, name) => reject(new Error(`a child process ended with ${code ?? name}`)));
  });
}

async function release(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  if (child.connected) child.disconnect();
  await ended;
}

const perSecondOf = (answer: Answer) => (answer as { perSecond: number }).perSecond;

function toRows(peer: Peer, server: Server, values: Map<string, number[]>): Row[] {
  return (['add', 'bulk', 'drain', 'latency p50', 'latency p95'] as const).flatMap((metric) => {
    const rounds = values.get(`${peer.name} ${metric}`);
    if (!rounds) return [];
    const sorted = rounds.toSorted((a, b) => a - b);
    const isLatency = metric.startsWith('latency');
    return {
      peer: peer.name,
      version: peer.version,
      server: `${server.name} ${server.version}`,
      settings: peer.settings[isLatency ? 'latency' : (metric as Metric)],
      metric,
      unit: isLatency ? 'ms' : 'jobs/s',
      values: rounds,
      median: quantile(sorted, 0.5),
      lowest: sorted[0]!,
      highest: sorted.at(-1)!,
    };
  });
}

function quantile(sorted: readonly number[], share: number): number {
  const position = (sorted.length - 1) * share;
  const below = sorted[Math.floor(position)]!;
  return below + (sorted[Math.ceil(position)]! - below) * (position % 1);
}

/** As a person reads it: no digits that the measurement does not carry. */
export function format(value: number): string {
  return value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString('en');
}
