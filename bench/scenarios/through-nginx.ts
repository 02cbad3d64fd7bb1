import type { BenchProcess } from '../bench-process.ts';
import { interleave } from '../interleave.ts';
import { postingSide } from '../load/posting-side.ts';
import { costRows, createProcessorCost, wholeCost } from '../processor-cost.ts';
import type { Scenario } from '../scenario.ts';

// Two producers that take turns at one row have half of the callers each, and no transaction carries more than wait for it.
const MANY = 256;

/** B3: the same as B1 with nginx in front of two. Only one side works at a time; the other is idle. */
export const throughNginx: Scenario = {
  names: ['B3'],
  what: 'create-async through nginx with two producers, against nginx with two bare handlers',
  seconds: 36,
  async run(stage) {
    const { serverPid, startProducer, startBaseline, startNginx, rounds, say } = stage;
    const handlers = [await startBaseline('bare-server'), await startBaseline('bare-server')];
    const bare = await startNginx(handlers);
    const producers = [await startProducer(), await startProducer()];
    const ours = await startNginx(producers);
    const costOfBare = () => createProcessorCost({ nginx: [bare.pid], handlers: pidsOf(handlers) });
    const costOfOurs = () =>
      createProcessorCost({ nginx: [ours.pid], producers: pidsOf(producers), MySQL: [serverPid] });
    const [bareCost, manyBareCost] = [costOfBare(), costOfBare()];
    const [ourCost, manyOurCost] = [costOfOurs(), costOfOurs()];
    const measured = await interleave(
      {
        'two bare handlers': postingSide(stage, { url: `${bare.url}/create-async`, warmUpSeconds: 2, cost: bareCost }),
        'two producers': postingSide(stage, { url: `${ours.url}/create-async`, warmUpSeconds: 6, cost: ourCost }),
        'bare, many callers': postingSide(stage, {
          url: `${bare.url}/create-async`,
          warmUpSeconds: 1,
          cost: manyBareCost,
          connections: MANY,
        }),
        'ours, many callers': postingSide(stage, {
          url: `${ours.url}/create-async`,
          warmUpSeconds: 1,
          cost: manyOurCost,
          connections: MANY,
        }),
      },
      rounds,
      say,
    );
    const name = 'nginx and two bare handlers';
    return {
      rows: [
        {
          scenario: 'B3',
          what: 'create-async, nginx and two producers',
          unit: 'requests/s',
          ours: measured['two producers'],
          baseline: { name, values: measured['two bare handlers'] },
          bar: { atLeast: 0.5 },
        },
        {
          scenario: 'B3',
          what: 'processor of a request, without the client',
          unit: 'µs',
          ours: wholeCost(ourCost),
          baseline: { name, values: wholeCost(bareCost) },
        },
        ...costRows('B3', 'of it', ourCost),
        {
          scenario: 'B3',
          what: `the same with ${MANY} callers`,
          unit: 'requests/s',
          ours: measured['ours, many callers'],
          baseline: { name, values: measured['bare, many callers'] },
        },
        {
          scenario: 'B3',
          what: `processor of a request, ${MANY} callers`,
          unit: 'µs',
          ours: wholeCost(manyOurCost),
          baseline: { name, values: wholeCost(manyBareCost) },
        },
      ],
    };
  },
};

function pidsOf(processes: readonly BenchProcess[]): number[] {
  return processes.map(({ pid }) => pid);
}
