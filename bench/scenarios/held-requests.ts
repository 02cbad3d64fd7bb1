import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../../database/connect.ts';
import { countEvents } from '../../database/events/read.ts';
import { type ConstantRate, postAtConstantRate } from '../load/constant-rate.ts';
import { allowOpenFiles } from '../open-files.ts';
import { residentMegabytes, startCpuClock } from '../process-usage.ts';
import type { Row, Scenario } from '../scenario.ts';
import { startQueryClock } from '../server-counters.ts';
import type { BenchServer, Stage } from '../stage.ts';

const LEVELS = [
  { callers: 1_000, cpuPercent: 20 },
  { callers: 10_000, cpuPercent: 60 },
];
const RATE = 2_500;
const CONSUMERS = 2;

/** B10: what it costs one producer to hold callers that wait, and how soon they all have their answer in the end. */
export const heldRequests: Scenario = {
  names: ['B10'],
  what: '1,000 and 10,000 held create-sync with no consumer; then two are started',
  seconds: 24,
  async run(stage) {
    await allowOpenFiles(12_000);
    await stage.startWordService();
    const rows: Row[] = [];
    for (const level of LEVELS) rows.push(...(await hold(stage, level)));
    const { callers } = LEVELS.at(-1)!;
    const memory = rows.findLast(({ unit }) => unit === 'MB')!;
    const bare = { name: 'a bare Hono handler that holds them', values: [await holdBare(stage, callers)] };
    const { bar: _, ...beside } = memory;
    rows.push({ ...beside, what: `${memory.what}, beside Node's own`, baseline: bare });
    return { rows };
  },
};

async function hold(stage: Stage, { callers, cpuPercent }: (typeof LEVELS)[number]): Promise<Row[]> {
  const { database, startProducer, startConsumer, pick, say, signal } = stage;
  const { db } = await database();
  const producer = await startProducer();
  const before = await countEvents(db);
  say(`${callers.toLocaleString('en-US')} callers come and wait`);
  const answered = postAtConstantRate(arrivals(producer, callers), signal);
  const failed = answered.then(() => Promise.reject(new Error('they did not wait')));
  await Promise.race([failed, untilCreated(db, before + callers, signal)]);

  say('what holding them costs');
  const queries = await startQueryClock(db);
  const cpu = startCpuClock(producer.pid);
  await Promise.race([failed, sleep(pick(4, 2) * 1_000, undefined, { signal })]);
  const usage = { queries: await queries(), cpu: cpu(), memory: residentMegabytes([producer.pid]) };

  say(`${CONSUMERS} consumers start`);
  const startedAt = Date.now();
  const consumers = await Promise.all(Array.from({ length: CONSUMERS }, () => startConsumer()));
  failed.catch(() => {});
  const result = await answered;
  if (result.firstFailure) throw new Error(`${result.failed} of ${callers} failed: ${result.firstFailure}`);
  await Promise.all([...consumers, producer].map((running) => running.stop()));
  const row = (what: string, unit: string, value: number, atMost: number) => ({
    scenario: 'B10',
    what: `${callers.toLocaleString('en-US')} held: ${what}`,
    unit,
    ours: [value],
    bar: { atMost },
  });
  return [
    row('queries', '/s', usage.queries, 12),
    row('processor', '% of a core', usage.cpu, cpuPercent),
    row('memory', 'MB', usage.memory, 250),
    row('start of consumers to last answer', 's', (result.lastAnswerAt - startedAt) / 1_000, 2),
  ];
}

function arrivals({ url }: BenchServer, callers: number): ConstantRate {
  const seconds = callers / RATE;
  return {
    url: `${url}/create-sync`,
    rate: RATE,
    seconds,
    warmUpSeconds: 0,
    windowSeconds: 3_600,
    connections: callers,
  };
}

/** The memory, in MB, that as many callers take when nothing is done for them. */
async function holdBare({ startBaseline, say, signal }: Stage, callers: number): Promise<number> {
  const bare = await startBaseline('bare-server');
  say(`${callers.toLocaleString('en-US')} callers come to a bare handler and wait`);
  const seen = new AbortController();
  const answered = postAtConstantRate(arrivals(bare, callers), AbortSignal.any([signal, seen.signal]));
  const failed = answered.then(() => Promise.reject(new Error('they did not wait')));
  await Promise.race([failed, untilHeld(bare, callers, signal)]);
  const memory = residentMegabytes([bare.pid]);
  seen.abort();
  await failed.catch(() => {}); // they were cut off
  await bare.stop();
  return memory;
}

async function untilHeld({ url }: BenchServer, callers: number, signal: AbortSignal): Promise<void> {
  while ((await (await fetch(`${url}/held`)).json()) !== callers) await sleep(50, undefined, { signal });
}

async function untilCreated(db: Database, events: number, signal: AbortSignal): Promise<void> {
  while ((await countEvents(db)) < events) await sleep(50, undefined, { signal });
}
