import { interleave } from '../interleave.ts';
import { postAtFullSpeed } from '../load/wrk.ts';
import type { Scenario } from '../scenario.ts';

const COUNT = 1_000;
// More would be refused: a producer lets CREATE_QUEUE_LIMIT, 50,000 events, wait.
const COUNT_CONNECTIONS = 16;

/** B2 and B4: what it brings to commit many creates together, and to ask for many in one request. */
export const groupCommit: Scenario = {
  names: ['B2', 'B4'],
  what: 'create-async, and count=1000, against one transaction per event',
  seconds: 27,
  async run({ startProducer, startBaseline, rounds, pick, say, signal }) {
    const producer = await startProducer();
    const oneByOne = await startBaseline('one-by-one-producer');
    const seconds = pick(2, 1);
    const { single, batched, counted } = await interleave(
      {
        single: () => postAtFullSpeed(`${oneByOne.url}/create-async`, seconds, signal),
        batched: () => postAtFullSpeed(`${producer.url}/create-async`, seconds, signal),
        counted: async () =>
          COUNT *
          (await postAtFullSpeed(`${producer.url}/create-async?count=${COUNT}`, seconds, signal, COUNT_CONNECTIONS)),
      },
      rounds,
      say,
    );
    const baseline = { name: 'one transaction per event', values: single };
    return {
      rows: [
        {
          scenario: 'B2',
          what: 'create-async, one producer',
          unit: 'events/s',
          ours: batched,
          baseline,
          bar: { atLeast: 20 },
        },
        {
          scenario: 'B4',
          what: `create-async?count=${COUNT}`,
          unit: 'events/s',
          ours: counted,
          baseline,
          bar: { atLeast: 100 },
        },
      ],
    };
  },
};
