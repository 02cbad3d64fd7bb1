import { setTimeout as sleep } from 'node:timers/promises';
import { startCpuClock } from '../process-usage.ts';
import type { Scenario } from '../scenario.ts';
import { startQueryClock } from '../server-counters.ts';
import { startWholeSystem } from '../whole-system.ts';

/** B11: what the system costs when there is nothing to do. Idle producers send no queries, so all are the consumers'. */
export const idle: Scenario = {
  names: ['B11'],
  what: 'the whole system idle for 60 s',
  seconds: 63,
  async run(stage) {
    const { database, pick, say, signal } = stage;
    const { consumers } = await startWholeSystem(stage);
    const { db } = await database();
    const seconds = pick(60, 5);
    await sleep(1_000, undefined, { signal }); // what the start has set in motion is over
    say(`${seconds} s of nothing`);
    const queries = await startQueryClock(db);
    const clocks = consumers.map(({ pid }) => startCpuClock(pid));
    await sleep(seconds * 1_000, undefined, { signal });
    const queriesEach = (await queries()) / consumers.length;
    return {
      rows: [
        { scenario: 'B11', what: 'idle: queries of a consumer', unit: '/s', ours: [queriesEach], bar: { atMost: 12 } },
        {
          scenario: 'B11',
          what: 'idle: processor of a consumer',
          unit: '% of a core',
          ours: clocks.map((used) => used()),
          bar: { atMost: 2 },
        },
      ],
    };
  },
};
