import { join } from 'node:path';
import { connectDatabase } from '../database/connect.ts';
import { freePort } from '../start/free-port.ts';
import { type LocalServer, startLocalServer } from '../start/mysql/local-server.ts';
import type { BenchArguments } from './arguments.ts';
import { createProgress } from './progress.ts';
import { describeMachine, type Results } from './results.ts';
import type { Outcome, Scenario } from './scenario.ts';
import { durabilitySettings, serverName } from './server-counters.ts';
import { createStage, type StageOptions } from './stage.ts';
import { startStealClock } from './stolen-time.ts';
import { judge } from './verdict.ts';

type RunOptions = Pick<BenchArguments, 'quick' | 'steadySeconds' | 'profiles'>;

/**
 * Runs one scenario after the other on a private server in `directory`. One that fails is noted, and the others go on.
 * When `signal` is aborted it stops everything that it has started, and rejects.
 */
export async function runScenarios(
  scenarios: readonly Scenario[],
  options: RunOptions,
  directory: string,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<Results> {
  const startedAt = new Date();
  const server = await startLocalServer({ directory: join(directory, 'server'), port: await freePort(), say });
  try {
    const { name, settings } = await describeServer(server);
    say([`${name}:`, ...Object.entries(settings).map(([key, value]) => `${key}=${value}`)].join(' '));
    const measured: Pick<Results, 'stolenPercent' | 'rows' | 'series' | 'failures'> = {
      stolenPercent: {},
      rows: [],
      series: [],
      failures: {},
    };
    const progress = createProgress(scenarios, options.quick, say);
    for (const scenario of scenarios) {
      const sayStep = progress.begin(scenario);
      const names = scenario.names.join(', ');
      const stolen = startStealClock();
      try {
        const { rows, series = [] } = await play(scenario, { ...options, server, directory, say: sayStep }, signal);
        measured.rows.push(...rows.map((row) => ({ ...row, verdict: judge(row) })));
        measured.series.push(...series);
      } catch (error) {
        signal.throwIfAborted();
        measured.failures[names] = String(error);
        sayStep(`FAILED: ${error instanceof Error ? error.stack : String(error)}`);
      }
      measured.stolenPercent[names] = stolen();
    }
    return {
      startedAt: startedAt.toISOString(),
      seconds: Math.round((Date.now() - startedAt.getTime()) / 1_000),
      quick: options.quick,
      machine: describeMachine(),
      node: process.version,
      server: name,
      settings,
      ...measured,
    };
  } finally {
    await server.stop();
  }
}

/** On a stage of its own, which is cleared afterwards, however it ends. */
async function play(
  scenario: Scenario,
  options: Omit<StageOptions, 'databaseName'>,
  signal: AbortSignal,
): Promise<Outcome> {
  const name = scenario.names.join('_').toLowerCase();
  const directory = join(options.directory, name);
  await using stage = createStage({ ...options, directory, databaseName: `bench_${name}` });
  return await unlessAborted(scenario.run(stage), signal);
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
