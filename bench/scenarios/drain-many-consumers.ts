import type { BenchProcess } from '../bench-process.ts';
import { drain, FROZEN_FOR_LONG, WARM_UP_EVENTS } from '../drain.ts';
import { interleave } from '../interleave.ts';
import type { Scenario } from '../scenario.ts';
import { countDeadlocks } from '../server-counters.ts';

/** B6: consumers that work on one table must not slow each other down, nor meet in deadlocks. */
export const drainManyConsumers: Scenario = {
  names: ['B6'],
  what: 'drain by two and by four consumers, against one',
  seconds: 24,
  async run({ database, startWordService, startConsumer, rounds, pick, say }) {
    const { db } = await database();
    await startWordService();
    const consumers: BenchProcess[] = [];
    for (let n = 0; n < 4; n++) {
      const consumer = await startConsumer(FROZEN_FOR_LONG);
      consumer.freeze();
      consumers.push(consumer);
    }
    const deadlocksBefore = await countDeadlocks(db);
    const events = pick(40_000, 20_000);
    const by = (count: number) => (isWarmUp: boolean) =>
      drain(db, isWarmUp ? WARM_UP_EVENTS : events, consumers.slice(0, count));
    const { one, four, two } = await interleave({ four: by(4), two: by(2), one: by(1) }, rounds, say);
    const deadlocks = (await countDeadlocks(db)) - deadlocksBefore;
    const logged = consumers.reduce((sum, { log }) => sum + (log().match(/deadlock/gi)?.length ?? 0), 0);
    const baseline = { name: `one, ${events.toLocaleString('en-US')} events`, values: one };
    const bar = { atLeast: 1 };
    return {
      rows: [
        { scenario: 'B6', what: 'drain, two consumers', unit: 'fills/s', ours: two, baseline, bar },
        { scenario: 'B6', what: 'drain, four consumers', unit: 'fills/s', ours: four, baseline, bar },
        { scenario: 'B6', what: 'deadlocks in the logs', unit: '', ours: [logged], bar: { atMost: 0 } },
        { scenario: 'B6', what: 'deadlocks that the server broke', unit: '', ours: [deadlocks] },
      ],
    };
  },
};
