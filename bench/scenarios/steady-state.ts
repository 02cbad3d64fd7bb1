import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Database } from '../../database/connect.ts';
import { countEvents } from '../../database/events/read.ts';
import { type LoadResult, postAtConstantRate } from '../load/constant-rate.ts';
import { residentMegabytes } from '../process-usage.ts';
import type { Scenario, Series } from '../scenario.ts';
import type { Stage } from '../stage.ts';
import { median } from '../verdict.ts';
import { processesOf, startWholeSystem } from '../whole-system.ts';

const SHARE = 0.7;
const WARM_UP_SECONDS = 10;

interface Sample {
  seconds: number;
  backlog: number;
  megabytes: number;
}

/** B13: creates and fills at once, for long, below what the machine can do: nothing may grow. */
export const steadyState: Scenario = {
  names: ['B13'],
  what: `creates and fills at once at ${SHARE * 100} % of capacity`,
  seconds: 315,
  async run(stage) {
    const { database, steadySeconds, say, signal } = stage;
    const system = await startWholeSystem(stage);
    const { db } = await database();
    const url = `${system.front.url}/create-async`;
    say('capacity: as many creates as 64 callers can make, while consumers fill');
    const capacity = await measureCapacity(stage, db, url);
    const rate = Math.floor(SHARE * capacity);

    say(`${steadySeconds} s of ${rate.toLocaleString('en-US')} creates/s, ${SHARE * 100} % of what was reached`);
    const over = new AbortController();
    const sampling = sample(db, processesOf(system), over.signal);
    const windowSeconds = Math.max(1, Math.round(steadySeconds / 30));
    const seconds = steadySeconds - WARM_UP_SECONDS;
    const load = { url, rate, seconds, warmUpSeconds: WARM_UP_SECONDS, windowSeconds };
    const result = await postAtConstantRate(load, signal).finally(() => over.abort());
    if (result.firstFailure) say(`${result.failed} failed, the first with ${result.firstFailure}`);
    const samples = (await sampling).filter((sample) => sample.seconds >= WARM_UP_SECONDS);
    return assess(result, samples, { capacity, rate, windowSeconds });
  },
};

/** Creates in a usual second, or fewer if the consumers fell behind: more than that would pile up. */
async function measureCapacity({ pick, signal }: Stage, db: Database, url: string): Promise<number> {
  const load = { url, rate: 'full speed' as const, warmUpSeconds: pick(4, 2), seconds: pick(7, 3), windowSeconds: 1 };
  const [before, openBefore] = [await countEvents(db), await countOpen(db)];
  const { windows } = await postAtConstantRate(load, signal);
  const created = (await countEvents(db)) - before;
  const filled = created - ((await countOpen(db)) - openBefore);
  while ((await countOpen(db)) > 0) await sleep(50, undefined, { signal });
  return median(windows.map(({ answered }) => answered)) * Math.min(1, filled / created);
}

async function sample(db: Database, pids: readonly number[], over: AbortSignal): Promise<Sample[]> {
  const samples: Sample[] = [];
  const startedAt = performance.now();
  while (!over.aborted) {
    const backlog = await countOpen(db);
    samples.push({ seconds: (performance.now() - startedAt) / 1_000, backlog, megabytes: residentMegabytes(pids) });
    await sleep(1_000, undefined, { signal: over }).catch(() => {});
  }
  return samples;
}

function assess(
  { sent, failed, windows }: LoadResult,
  samples: readonly Sample[],
  { capacity, rate, windowSeconds }: { capacity: number; rate: number; windowSeconds: number },
) {
  const fifth = <T>(values: readonly T[], last: boolean) => {
    const length = Math.max(1, Math.round(values.length / 5));
    return last ? values.slice(-length) : values.slice(0, length);
  };
  const drift = (values: readonly number[]) => ({
    ours: [median(fifth(values, true))],
    baseline: { name: 'in the first fifth', values: [median(fifth(values, false))] },
  });
  const p99 = windows.map((window) => window.p99);
  const backlog = samples.map((sample) => sample.backlog);
  const scenario = 'B13';
  const series: Series[] = [
    { name: 'create-async p99', unit: 'ms', points: p99.map((value, n) => [(n + 0.5) * windowSeconds, value]) },
    {
      name: 'backlog',
      unit: 'events',
      points: samples.map((at) => [at.seconds - WARM_UP_SECONDS, at.backlog]),
    },
    {
      name: 'memory',
      unit: 'MB',
      points: samples.map((at) => [at.seconds - WARM_UP_SECONDS, at.megabytes]),
    },
  ];
  return {
    rows: [
      { scenario, what: 'capacity: creates and fills at once', unit: 'events/s', ours: [capacity] },
      { scenario, what: 'at 70 % of it: not answered', unit: `of ${sent}`, ours: [failed], bar: { atMost: 0 } },
      {
        scenario,
        what: 'at 70 % of it: largest backlog',
        unit: 's of creates',
        ours: [Math.max(...backlog) / rate],
        bar: { atMost: 2 },
      },
      { scenario, what: 'at 70 % of it: p99 in the last fifth', unit: 'ms', ...drift(p99), bar: { atMost: 1.25 } },
      {
        scenario,
        what: 'at 70 % of it: memory in the last fifth',
        unit: 'MB',
        ...drift(samples.map((at) => at.megabytes)),
        bar: { atMost: 1.2 },
      },
    ],
    series,
  };
}

/** A range of the claim's index, as long as the backlog. */
async function countOpen(db: Database): Promise<number> {
  const { rows } = await sql<{ total: number }>`
    SELECT COUNT(*) AS total FROM Events WHERE kind = 1 AND open = 1`.execute(db);
  return rows[0]!.total;
}
