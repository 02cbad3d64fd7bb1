import type { BenchProcess } from '../bench-process.ts';
import { drainingSide, FROZEN_FOR_LONG } from '../drain.ts';
import { interleave } from '../interleave.ts';
import { createProcessorCost, type ProcessorCost } from '../processor-cost.ts';
import type { Row, Scenario } from '../scenario.ts';
import { countDeadlocks } from '../server-counters.ts';

/** B6: consumers that work on one table must not slow each other down, nor meet in deadlocks. */
export const drainManyConsumers: Scenario = {
  names: ['B6'],
  what: 'drain by two and by four consumers, against one',
  seconds: 21,
  async run({ database, serverPid, startWordService, startConsumer, rounds, pick, say }) {
    const { db } = await database();
    const words = await startWordService();
    const consumers: BenchProcess[] = [];
    for (let n = 0; n < 4; n++) {
      const consumer = await startConsumer(FROZEN_FOR_LONG);
      consumer.freeze();
      consumers.push(consumer);
    }
    const deadlocksBefore = await countDeadlocks(db);
    const events = pick(40_000, 20_000);
    const all = [serverPid, words.pid, ...consumers.map(({ pid }) => pid)];
    const costs = {
      four: createProcessorCost({ all }),
      two: createProcessorCost({ all }),
      one: createProcessorCost({ all }),
    };
    const by = (count: 1 | 2 | 4, cost: ProcessorCost) =>
      drainingSide({ db, consumers: consumers.slice(0, count), cost }, events);
    const sides = { four: by(4, costs.four), two: by(2, costs.two), one: by(1, costs.one) };
    const { one, four, two } = await interleave(sides, rounds, say);
    const deadlocks = (await countDeadlocks(db)) - deadlocksBefore;
    const logged = consumers.reduce((sum, { log }) => sum + (log().match(/deadlock/gi)?.length ?? 0), 0);
    const baseline = { name: `one, ${events.toLocaleString('en-US')} events`, values: one };
    const bar = { atLeast: 1 };
    return {
      rows: [
        { scenario: 'B6', what: 'drain, two consumers', unit: 'fills/s', ours: two, baseline, bar },
        { scenario: 'B6', what: 'drain, four consumers', unit: 'fills/s', ours: four, baseline, bar },
        processor('a fill, two consumers', costs.two, costs.one),
        processor('a fill, four consumers', costs.four, costs.one),
        { scenario: 'B6', what: 'deadlocks in the logs', unit: '', ours: [logged], bar: { atMost: 0 } },
        { scenario: 'B6', what: 'deadlocks that the server broke', unit: '', ours: [deadlocks] },
      ],
    };
  },
};

function processor(what: string, ours: ProcessorCost<'all'>, one: ProcessorCost<'all'>): Row {
  const baseline = { name: 'one', values: one.micros.all };
  return { scenario: 'B6', what: `processor of ${what}, all processes`, unit: 'µs', ours: ours.micros.all, baseline };
}
