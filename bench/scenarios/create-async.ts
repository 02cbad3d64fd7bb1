import { interleave } from '../interleave.ts';
import { postAtFullSpeed } from '../load/wrk.ts';
import type { Scenario } from '../scenario.ts';

/** B1: what durability and the rest of a real create cost, of what Hono on Node can do at best. */
export const createAsync: Scenario = {
  names: ['B1'],
  what: 'create-async against a bare Hono handler',
  seconds: 17,
  async run({ startProducer, startBaseline, rounds, pick, say, signal }) {
    const producer = await startProducer();
    const bare = await startBaseline('bare-server');
    const post = (url: string) => () => postAtFullSpeed(`${url}/create-async`, pick(2, 1), signal);
    const sides = { 'bare Hono handler': post(bare.url), producer: post(producer.url) };
    const measured = await interleave(sides, rounds, say);
    return {
      rows: [
        {
          scenario: 'B1',
          what: 'create-async, one producer',
          unit: 'requests/s',
          ours: measured.producer,
          baseline: { name: 'bare Hono handler', values: measured['bare Hono handler'] },
          bar: { atLeast: 0.45 },
        },
      ],
    };
  },
};
