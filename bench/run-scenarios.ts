import { join } from 'node:path';
import { connectDatabase } from '../database/connect.ts';
import { type LocalServer, startLocalServer } from '../database/local-server.ts';
import { freePort } from '../tests/free-port.ts';
import type { BenchArguments } from './arguments.ts';
import { createProgress } from './progress.ts';
import { describeMachine, type Results } from './results.ts';
import type { Outcome, Row, Scenario, Series } from './scenario.ts';
import { durabilitySettings, serverName } from './server-counters.ts';
import { createStage } from './stage.ts';
import { judge } from './verdict.ts';

/**
 * Runs one scenario after the other on a private server in `directory`. One that fails is noted, and the others go on.
 * When `signal` is aborted it stops everything that it has started, and rejects.
 */
export async function runScenarios(
  scenarios: readonly Scenario[],
  { quick, steadySeconds, profiles }: Pick<BenchArguments, 'quick' | 'steadySeconds' | 'profiles'>,
  directory: string,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<Results> {
  const startedAt = new Date();
  const server = await startLocalServer({ directory: join(directory, 'server'), port: await freePort(), say });
  try {
    const { name, settings } = await describeServer(server);
    say(
      `${name}, ${Object.entries(settings)
        .map(([key, value]) => `${key}=${value}`)
        .join(' ')}`,
    );
    const progress = createProgress(scenarios, quick, say);
    const rows: Row[] = [];
    const series: Series[] = [];
    const failures: Results['failures'] = {};
    for (const scenario of scenarios) {
      const key = scenario.names.join('-').toLowerCase();
      await using stage = createStage({
        server,
        directory: join(directory, key),
        databaseName: `bench_${key.replace('-', '_')}`,
        quick,
        steadySeconds,
        profiles,
        say: progress.begin(scenario),
      });
      try {
        const outcome = await unlessAborted(scenario.run(stage), signal);
        rows.push(...outcome.rows);
        series.push(...(outcome.series ?? []));
      } catch (error) {
        signal.throwIfAborted();
        failures[scenario.names.join(', ')] = String(error);
        stage.say(`FAILED: ${error instanceof Error ? error.stack : String(error)}`);
      }
    }
    return {
      startedAt: startedAt.toISOString(),
      seconds: Math.round((Date.now() - startedAt.getTime()) / 1_000),
      quick,
      machine: describeMachine(),
      node: process.version,
      server: name,
      settings,
      rows: rows.map((row) => ({ ...row, verdict: judge(row) })),
      series,
      failures,
    };
  } finally {
    await server.stop();
  }
}

async function describeServer(server: LocalServer): Promise<{ name: string; settings: Record<string, number> }> {
  const db = connectDatabase({ url: server.url('mysql'), poolSize: 1 });
  const described = { name: await serverName(db), settings: await durabilitySettings(db) };
  await db.destroy();
  return described;
}

function unlessAborted(running: Promise<Outcome>, signal: AbortSignal): Promise<Outcome> {
  return Promise.race([
    running,
    new Promise<never>((_, reject) => {
      const abort = () => reject(signal.reason as Error);
      if (signal.aborted) abort();
      else signal.addEventListener('abort', abort, { once: true });
    }),
  ]);
}
