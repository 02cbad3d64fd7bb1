import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stopSignal } from '../process/stop-signal.ts';
import { findProgram, installPrograms } from '../start/programs.ts';
import { HELP, parseArguments } from './arguments.ts';
import { drawCharts } from './charts/draw-charts.ts';
import { runPeers } from './peers.ts';
import { type Results, resultPath, writeResult } from './results.ts';
import { runScenarios } from './run-scenarios.ts';
import { exampleScenarios, scenarios } from './scenarios.ts';
import { showNumber, toTable } from './table.ts';

const say = (line: string) => process.stderr.write(`${line}\n`);

/** `npm run bench` */
async function main(): Promise<void> {
  const all = [...scenarios, ...exampleScenarios];
  const args = parseArguments(
    process.argv.slice(2),
    all.flatMap(({ names }) => names),
  );
  if (args.help) {
    process.stdout.write(HELP);
    return;
  }
  const interrupted = listenForSignals();
  if (args.peers)
    return runPeers(resultPath(`${args.name ?? (args.quick ? 'trial-peers' : 'peers')}.json`), args.quick, interrupted);

  await installPrograms(missingPrograms(), say);
  const isChosen = (names: readonly string[]) => names.some((name) => args.only.includes(name));
  const chosen = args.only.length === 0 ? scenarios : all.filter(({ names }) => isChosen(names));
  const directory = await mkdtemp(join(tmpdir(), 'event-queue-bench-'));
  try {
    const results = await runScenarios(chosen, args, directory, say, interrupted);
    const name = args.name ?? (args.isWhole ? results.server : 'trial');
    process.stdout.write(`\n${toTable(results.rows)}\n\n`);
    say(`processor time that the host gave to others meanwhile: ${stolenTime(results)}`);
    say(await writeResult(`${name}.json`, JSON.stringify(results, null, 2)));
    for (const chart of drawCharts(results)) say(await writeResult(`${name}-${chart.name}.svg`, chart.svg));
    if (Object.keys(results.failures).length > 0) process.exitCode = 1;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function stolenTime({ stolenPercent }: Results): string {
  return Object.entries(stolenPercent)
    .map(([names, percent]) => `${names} ${showNumber(percent)} %`)
    .join('; ');
}

/** The first Ctrl-C or SIGTERM stops what runs, and then us; a second one ends us at once, and the kernel our children. */
function listenForSignals(): AbortSignal {
  const interrupted = new AbortController();
  void stopSignal().then(() => {
    say('stopping');
    interrupted.abort(new Error('stopped before the end'));
  });
  return interrupted.signal;
}

function missingPrograms(): ('mariadbd' | 'nginx' | 'wrk')[] {
  const missing = (['nginx', 'wrk'] as const).filter((program) => !findProgram(program));
  return findProgram('mysqld', 'mariadbd') ? missing : ['mariadbd', ...missing];
}

main().then(
  () => process.exit(), // whatever a scenario that was broken off still waits for
  (error: unknown) => {
    console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
    process.exit(1);
  },
);
