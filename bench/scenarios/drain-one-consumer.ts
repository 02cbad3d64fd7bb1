import { drain, drainingSide, FROZEN_FOR_LONG } from '../drain.ts';
import { interleave } from '../interleave.ts';
import { costRows, createProcessorCost } from '../processor-cost.ts';
import type { Scenario } from '../scenario.ts';

/** B5: how fast one consumer process works off a backlog. */
export const drainOneConsumer: Scenario = {
  names: ['B5'],
  what: 'drain of 200,000 by one consumer, against claiming and filling one by one',
  seconds: 36,
  async run({ database, serverPid, startWordService, startConsumer, rounds, pick, say }) {
    const { db } = await database();
    const words = await startWordService();
    const ours = await startConsumer(FROZEN_FOR_LONG);
    ours.freeze();
    const single = await startConsumer({ ...FROZEN_FOR_LONG, CONSUMER_BATCH: '1', CONSUMER_CONCURRENCY: '1' });
    single.freeze();
    const cost = createProcessorCost({ MySQL: [serverPid], consumer: [ours.pid], 'word service': [words.pid] });
    const measured = await interleave(
      {
        'one by one': (isWarmUp) => drain(db, isWarmUp ? 100 : pick(500, 100), [single]),
        batches: drainingSide(db, pick(200_000, 20_000), [ours], cost),
      },
      rounds,
      say,
    );
    return {
      rows: [
        {
          scenario: 'B5',
          what: 'drain, one consumer',
          unit: 'fills/s',
          ours: measured.batches,
          baseline: { name: 'one by one', values: measured['one by one'] },
          bar: { atLeast: 30 },
        },
        ...costRows('B5', 'processor of a fill', cost),
      ],
    };
  },
};
