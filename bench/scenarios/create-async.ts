import { interleave } from '../interleave.ts';
import { type Posting, postingSide } from '../load/posting-side.ts';
import { postAtFullSpeed } from '../load/wrk.ts';
import { createProcessorCost } from '../processor-cost.ts';
import type { Scenario } from '../scenario.ts';
import type { BenchServer } from '../stage.ts';

const COUNT = 1_000;
// More would be refused: a producer lets 50,000 events wait.
const COUNT_CONNECTIONS = 16;

const PAYLOAD = { to: 'maria@example.org', text: 'Olá! '.repeat(44) }; // 300 bytes
const EMAIL = JSON.stringify({ kind: 'email', payload: PAYLOAD });

/**
 * B1, B2, B4 and B16: what a durable create costs beside a bare Hono handler; what it brings to commit many together, and to
 * ask for many in one request; and what a payload costs.
 */
export const createAsync: Scenario = {
  names: ['B1', 'B2', 'B4', 'B16'],
  what: 'create-async, also with count=1000 and with a payload, against a bare Hono handler and one by one',
  seconds: 52,
  async run(stage) {
    const { serverPid, startProducer, startBaseline, rounds, pick, say, signal } = stage;
    const producer = await startProducer();
    const bare = await startBaseline('bare-server');
    const oneByOne = await startBaseline('one-by-one-producer');
    const bareCost = createProcessorCost({ handler: [bare.pid] });
    const oneByOneCost = createProcessorCost({ MySQL: [serverPid] });
    const ourCost = createProcessorCost({ producer: [producer.pid], MySQL: [serverPid] });
    const payloadCost = createProcessorCost({ producer: [producer.pid], MySQL: [serverPid] });
    const posting = ({ url }: BenchServer, options: Omit<Posting, 'url'>) =>
      postingSide(stage, { url: `${url}/create-async`, ...options });
    const measured = await interleave(
      {
        'one transaction per event': posting(oneByOne, { warmUpSeconds: 2, cost: oneByOneCost }),
        'bare Hono handler': posting(bare, { warmUpSeconds: 2, cost: bareCost }),
        // There is more of a producer to compile: its rate still grew after four seconds.
        producer: posting(producer, { warmUpSeconds: 8, cost: ourCost }),
        'with a payload': posting(producer, { warmUpSeconds: 4, cost: payloadCost, body: EMAIL }),
        counted: async () =>
          COUNT *
          (await postAtFullSpeed(`${producer.url}/create-async?count=${COUNT}`, pick(2, 1), signal, {
            connections: COUNT_CONNECTIONS,
          })),
      },
      rounds,
      say,
    );
    const against = (name: keyof typeof measured) => ({ name, values: measured[name] });
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
          scenario: 'B16',
          what: 'create-async with a payload of 300 bytes',
          unit: 'events/s',
          ours: measured['with a payload'],
          baseline: { name: 'without', values: measured.producer },
          bar: { atLeast: 0.75 },
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
        ...(['producer', 'MySQL'] as const).map((name) => ({
          scenario: 'B16',
          what: `processor of a create with a payload, ${name}`,
          unit: 'µs',
          ours: payloadCost.micros[name],
          baseline: { name: 'without', values: ourCost.micros[name] },
        })),
      ],
    };
  },
};
