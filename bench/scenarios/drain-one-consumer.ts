import { drain, FROZEN_FOR_LONG } from '../drain.ts';
import { interleave } from '../interleave.ts';
import type { Scenario } from '../scenario.ts';

/** B5: how fast one consumer process works off a backlog. */
export const drainOneConsumer: Scenario = {
  names: ['B5'],
  what: 'drain of 200,000 by one consumer, against claiming and filling one by one',
  seconds: 34,
  async run({ database, startWordService, startConsumer, rounds, pick, say }) {
    const { db } = await database();
    await startWordService();
    const ours = await startConsumer(FROZEN_FOR_LONG);
    ours.freeze();
    const single = await startConsumer({ ...FROZEN_FOR_LONG, CONSUMER_BATCH: '1', CONSUMER_CONCURRENCY: '1' });
    single.freeze();
    let warm = false;
    const measured = await interleave(
      {
        'one by one': () => drain(db, pick(1_000, 200), [single]),
        batches: () => {
          const events = warm ? pick(200_000, 20_000) : 20_000;
          warm = true;
          return drain(db, events, [ours]);
        },
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
      ],
    };
  },
};
