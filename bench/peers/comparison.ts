import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { quantile } from '../quantile.ts';
import { startMysql } from './mysql.ts';
import { isLatency, type Latency, METRICS, type Metric, type Peer, type Recovery, type ServerKind } from './peer.ts';
import { loadPeer, PEER_NAMES } from './peers.ts';
import { startPostgresql } from './postgresql.ts';
import { startRedis } from './redis.ts';
import { measureRounds } from './rounds.ts';
import { MissingProgramError, type Server } from './server.ts';

export interface ComparisonOptions {
  /** One short round, to see that all works; its numbers say little. */
  quick: boolean;
  /** How the names of the wanted peers begin; all when empty. */
  only: readonly string[];
  metrics: readonly Metric[];
  say: (line: string) => void;
}

/** What a row is about: a metric, or a quantile of it. */
export type Figure = Exclude<Metric, Latency> | `${Latency} ${'p50' | 'p95'}`;

export interface Row {
  peer: string;
  version: string;
  server: string;
  does: string;
  settings: string;
  metric: Figure;
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
      recovery: peers.flatMap(({ name, recovery }) => (recovery ? { peer: name, ...recovery } : [])),
      skipped,
    };
  } catch (error) {
    signal.throwIfAborted(); // says why; what failed then is only that everything was ended
    throw error;
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

function toRows(peer: Peer, server: Server, values: Map<string, number[]>): Row[] {
  return METRICS.flatMap((metric) => figuresOf(metric).map((figure) => ({ metric, figure }))).flatMap(
    ({ metric, figure }) => {
      const rounds = values.get(`${peer.name} ${figure}`);
      if (!rounds) return [];
      const sorted = rounds.toSorted((a, b) => a - b);
      return {
        peer: peer.name,
        version: peer.version,
        server: `${server.name} ${server.version}`,
        does: peer.does,
        settings: peer.settings[isLatency(metric) ? 'latency' : metric] ?? '',
        metric: figure,
        unit: isLatency(metric) ? 'ms' : 'jobs/s',
        values: rounds,
        median: quantile(sorted, 0.5),
        lowest: sorted[0]!,
        highest: sorted.at(-1)!,
      };
    },
  );
}

function figuresOf(metric: Metric): Figure[] {
  return isLatency(metric) ? [`${metric} p50`, `${metric} p95`] : [metric];
}
