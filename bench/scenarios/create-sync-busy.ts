import type { BenchProcess } from '../bench-process.ts';
import { postAtConstantRate } from '../load/constant-rate.ts';
import { proportionalMegabytes, residentMegabytes } from '../process-usage.ts';
import type { Row, Scenario } from '../scenario.ts';
import { processesOf, startWholeSystem } from '../whole-system.ts';

const RATE = 2_000;

/** B9 and B12: the same with a hundred times as many callers; and how much memory the system holds after that. */
export const createSyncBusy: Scenario = {
  names: ['B9', 'B12'],
  what: `create-sync at ${RATE} requests/s, and the memory of the whole system after it`,
  seconds: 18,
  async run(stage) {
    const { pick, rounds, say, signal } = stage;
    const system = await startWholeSystem(stage);
    const { front, producers, consumers, words } = system;
    const residentAtStart = residentMegabytes(processesOf(system));
    const windowSeconds = pick(4, 1);
    const seconds = windowSeconds * rounds;
    say(`${seconds} s of ${RATE} requests/s, after 3 s to warm up`);
    const load = { rate: RATE, seconds, warmUpSeconds: 3, windowSeconds };
    const { sent, failed, firstFailure, windows } = await postAtConstantRate(
      { ...load, url: `${front.url}/create-sync` },
      signal,
    );
    if (firstFailure) say(`${failed} failed, the first with ${firstFailure}`);
    const what = `create-sync at ${RATE}/s`;
    return {
      rows: [
        { scenario: 'B9', what: `${what}, p50`, unit: 'ms', ours: windows.map(({ p50 }) => p50) },
        { scenario: 'B9', what: `${what}, p99`, unit: 'ms', ours: windows.map(({ p99 }) => p99), bar: { atMost: 400 } },
        { scenario: 'B9', what: `${what}, not answered`, unit: `of ${sent}`, ours: [failed], bar: { atMost: 0 } },
        {
          scenario: 'B12',
          what: 'memory of the whole system after it',
          unit: 'MB',
          ours: [residentMegabytes(processesOf(system))],
          bar: { atMost: 450 },
        },
        {
          scenario: 'B12',
          what: 'the same, shared pages counted once',
          unit: 'MB',
          ours: [proportionalMegabytes(processesOf(system))],
        },
        { scenario: 'B12', what: 'the same, before it and after one event', unit: 'MB', ours: [residentAtStart] },
        memory('each producer', producers),
        memory('each consumer', consumers),
        memory('nginx', [front]),
        memory('word service', [words]),
      ],
    };
  },
};

function memory(what: string, processes: readonly BenchProcess[]): Row {
  const ours = processes.map(({ pid }) => residentMegabytes([pid]));
  return { scenario: 'B12', what: `of it: ${what}`, unit: 'MB', ours };
}
