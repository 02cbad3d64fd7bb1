import { interleave } from '../interleave.ts';
import { postingSide } from '../load/posting-side.ts';
import { postAtFullSpeed } from '../load/wrk.ts';
import { createProcessorCost } from '../processor-cost.ts';
import type { Scenario } from '../scenario.ts';

const COUNT = 1_000;
// More would be refused: a producer lets 50,000 events wait.
const COUNT_CONNECTIONS = 16;

/**
 * B1, B2 and B4: what durability and the rest of a real create cost, of what Hono on Node can do at best; and what it
 * brings to commit many creates together, and to ask for many in one request.
 */
export const createAsync: Scenario = {
  names: ['B1', 'B2', 'B4'],
  what: 'create-async, and count=1000, against a bare Hono handler and one transaction per event',
  seconds: 41,
  async run(stage) {
    const { serverPid, startProducer, startBaseline, rounds, pick, say, signal } = stage;
    const producer = await startProducer();
    const bare = await startBaseline('bare-server');
    const oneByOne = await startBaseline('one-by-one-producer');
    const bareCost = createProcessorCost({ handler: [bare.pid] });
    const oneByOneCost = createProcessorCost({ MySQL: [serverPid] });
    const ourCost = createProcessorCost({ producer: [producer.pid], MySQL: [serverPid] });
    const measured = await interleave(
      {
        'one transaction per event': postingSide(stage, `${oneByOne.url}/create-async`, 2, oneByOneCost),
        'bare Hono handler': postingSide(stage, `${bare.url}/create-async`, 2, bareCost),
        // There is more of a producer to compile: its rate still grew after four seconds.
        producer: postingSide(stage, `${producer.url}/create-async`, 8, ourCost),
        counted: async () =>
          COUNT *
          (await postAtFullSpeed(`${producer.url}/create-async?count=${COUNT}`, pick(2, 1), signal, COUNT_CONNECTIONS)),
      },
      rounds,
      say,
    );
    const against = (name: 'bare Hono handler' | 'one transaction per event') => ({ name, values: measured[name] });
    const one = { what: 'create-async, one producer', ours: measured.producer };
    return {
      rows: [
        { ...one, scenario: 'B1', unit: 'requests/s', baseline: against('bare Hono handler'), bar: { atLeast: 0.45 } },
        {
          ...one,
          scenario: 'B2',
          unit: 'events/s',
          baseline: against('one transaction per event'),
          bar: { atLeast: 20 },
        },
        {
          scenario: 'B4',
          what: `create-async?count=${COUNT}`,
          unit: 'events/s',
          ours: measured.counted,
          baseline: against('one transaction per event'),
          bar: { atLeast: 100 },
        },
        {
          scenario: 'B1',
          what: 'processor of a create, producer',
          unit: 'µs',
          ours: ourCost.micros.producer,
          baseline: { name: 'bare Hono handler', values: bareCost.micros.handler },
        },
        {
          scenario: 'B1',
          what: 'processor of a create, MySQL',
          unit: 'µs',
          ours: ourCost.micros.MySQL,
          baseline: { name: 'one transaction per event', values: oneByOneCost.micros.MySQL },
        },
      ],
    };
  },
};
