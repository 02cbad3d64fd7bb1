import { createEvents } from '../../database/events/create.ts';
import { findEvent } from '../../database/events/read.ts';
import { measureAddToDone } from '../add-to-done.ts';
import { quantile } from '../quantile.ts';
import type { Scenario } from '../scenario.ts';

const RATE = 20;

/** B17: how soon an event is done when there is little to do, by a plain function in another process with the default polls. */
export const addToDone: Scenario = {
  names: ['B17'],
  what: `add to done at ${RATE}/s, a plain function in another process`,
  seconds: 21,
  async run({ database, startConsumer, rounds, pick, say, signal }) {
    const { db } = await database();
    await startConsumer({}, 'nothing');
    const queue = {
      add: () => createEvents(db, [{ kind: 'nothing' }]),
      isDone: async (id: number) => (await findEvent(db, id))?.status === 'filled',
    };
    const p50: number[] = [];
    const p95: number[] = [];
    for (let round = 1; round <= rounds; round++) {
      say(`round ${round} of ${rounds}`);
      const latencies = await measureAddToDone(queue, { jobs: pick(120, 20), perSecond: RATE, signal });
      p50.push(quantile(latencies, 0.5));
      p95.push(quantile(latencies, 0.95));
    }
    const what = `add to done at ${RATE}/s, two processes`;
    return {
      rows: [
        { scenario: 'B17', what: `${what}, p50`, unit: 'ms', ours: p50, bar: { atMost: 12 } },
        { scenario: 'B17', what: `${what}, p95`, unit: 'ms', ours: p95 },
      ],
    };
  },
};
