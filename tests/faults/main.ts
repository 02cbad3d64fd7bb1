import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { stopSignal } from '../../process/stop-signal.ts';
import { freePort } from '../../start/free-port.ts';
import { startLocalServer } from '../../start/mysql/local-server.ts';
import { whyNoGroup } from './fault-group.ts';
import { rows } from './rows.ts';
import { type FaultRow, type RowResult, runRow } from './run-row.ts';

const HELP = `Usage: npm run test:faults [-- options]

Runs every row of the fault matrix on real servers and processes, and prints what became of each.
  --only F07,F14   only these rows
  --seed 3         the first seed; a run prints its own, and the same seed gives the same run again
  --seeds 10       each row with so many seeds; default 1, and 100 for F60
  --minutes 30     each row again, with the next seed, for as long
`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      seed: { type: 'string' },
      seeds: { type: 'string' },
      minutes: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) return void process.stdout.write(HELP);
  const chosen = chooseRows(values.only);
  const firstSeed = Number(values.seed ?? Math.floor(Math.random() * 1_000_000));
  console.log(`seed ${firstSeed}`);

  await using undo = new AsyncDisposableStack();
  let running: Promise<AsyncDisposable> | undefined;
  const interrupt = async () => {
    console.log('interrupted: ending what runs');
    const system = await running?.catch(() => undefined);
    await system?.[Symbol.asyncDispose]();
    await undo.disposeAsync();
    process.exit(130);
  };
  let interrupting: Promise<void> | undefined;
  void stopSignal().then(() => {
    interrupting = interrupt();
  });
  const directory = await mkdtemp(join(tmpdir(), 'event-queue-faults-'));
  undo.defer(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }));
  const starting = startLocalServer({ directory, port: await freePort() });
  undo.defer(async () => (await starting).stop());
  const serverUrl = (await starting).url('');

  const results: RowResult[] = [];
  for (const row of chosen) {
    const why = row.system?.group && (await whyNoGroup(row.system.group));
    if (why) {
      console.log(`skip ${row.id}: ${why}`);
      continue;
    }
    for (const seed of seedsOf(row, firstSeed, values)) {
      const result = await runRow(row, {
        seed,
        serverUrl,
        onStart: (starting) => {
          running = starting;
        },
      }).catch(async (error: unknown) => {
        await interrupting; // which ends the process, when all that runs has ended
        throw error;
      });
      results.push(result);
      console.log(describe(result));
    }
  }
  console.log(`\n${table(chosen, results)}`);
  process.exitCode = results.some(({ violations }) => violations.length > 0) ? 1 : 0;
}

function chooseRows(only: string | undefined): FaultRow[] {
  const ids = only?.split(',');
  const unknown = ids?.filter((id) => !rows.some((row) => row.id === id)) ?? [];
  if (unknown.length > 0)
    throw new Error(`there is no row ${unknown.join(', ')}; there are ${rows.map(({ id }) => id).join(' ')}`);
  return rows.filter(({ id }) => ids?.includes(id) ?? true);
}

/** Numbers from the first on: so many, or for so many minutes. */
function* seedsOf(row: FaultRow, first: number, { seeds, minutes }: { seeds?: string; minutes?: string }) {
  const count = seeds === undefined ? (row.seeds ?? 1) : Number(seeds);
  const until = Date.now() + Number(minutes ?? 0) * 60_000;
  for (let n = 0; minutes === undefined ? n < count : Date.now() < until; n++) yield first + n;
}

function describe({ id, seed, seconds, attempted, acknowledged, unknown, measured, violations }: RowResult): string {
  const verdict = violations.length === 0 ? 'ok  ' : 'FAIL';
  const said = violations.map(({ check, text }) => `\n    ${check}: ${text}`).join('');
  const worst = new Map<string, number>();
  for (const { what, ms } of measured) worst.set(what, Math.max(ms, worst.get(what) ?? 0));
  const times = [...worst].map(([what, ms]) => `; ${what} ≤ ${Math.round(ms)} ms`).join('');
  return `${verdict} ${id} seed ${seed}: ${acknowledged}/${attempted} acknowledged, ${unknown} unknown, ${seconds} s${times}${said}`;
}

function table(chosen: readonly FaultRow[], results: readonly RowResult[]): string {
  const lines = chosen.map((row) => {
    const of = results.filter(({ id }) => id === row.id);
    const sum = (value: (result: RowResult) => number) => of.reduce((total, result) => total + value(result), 0);
    const failed = of.filter(({ violations }) => violations.length > 0).length;
    return [
      row.id,
      of.length,
      sum(({ attempted }) => attempted),
      sum(({ acknowledged }) => acknowledged),
      sum(({ unknown }) => unknown),
      sum(({ lost }) => lost),
      sum(({ doubled }) => doubled),
      `${Math.max(0, ...of.map(({ longestGapMs }) => longestGapMs))} ms`,
      of.length === 0 ? 'skipped' : failed === 0 ? 'pass' : `FAIL ${failed}`,
      row.what,
    ].map(String);
  });
  const head = [
    'row',
    'runs',
    'attempts',
    'acknowledged',
    'unknown',
    'lost',
    'doubled',
    'longest gap',
    'verdict',
    'fault',
  ];
  const widths = head.map((title, column) => Math.max(title.length, ...lines.map((line) => line[column]!.length)));
  return [head, ...lines]
    .map((line) =>
      line.map((cell, column) => (column === line.length - 1 ? cell : cell.padEnd(widths[column]!))).join('  '),
    )
    .join('\n');
}

main().catch((error: unknown) => {
  console.error('faults:', error);
  process.exit(1); // the clients of a run that broke off would go on for ever
});
