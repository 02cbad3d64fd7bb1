import { interleave } from '../interleave.ts';
import { postAtFullSpeed } from '../load/wrk.ts';
import type { Scenario } from '../scenario.ts';

/** B3: the same as B1 with nginx in front of two. Only one side works at a time; the other is idle. */
export const throughNginx: Scenario = {
  names: ['B3'],
  what: 'create-async through nginx with two producers, against nginx with two bare handlers',
  seconds: 23,
  async run({ startProducer, startBaseline, startNginx, rounds, pick, say, signal }) {
    const bare = await startNginx([await startBaseline('bare-server'), await startBaseline('bare-server')]);
    const ours = await startNginx([await startProducer(), await startProducer()]);
    const post = (url: string, warmUpSeconds: number) => (isWarmUp: boolean) =>
      postAtFullSpeed(`${url}/create-async`, pick(isWarmUp ? warmUpSeconds : 2, 1), signal);
    const sides = { 'two bare handlers': post(bare.url, 2), 'two producers': post(ours.url, 6) };
    const measured = await interleave(sides, rounds, say);
    return {
      rows: [
        {
          scenario: 'B3',
          what: 'create-async, nginx and two producers',
          unit: 'requests/s',
          ours: measured['two producers'],
          baseline: { name: 'nginx and two bare handlers', values: measured['two bare handlers'] },
          bar: { atLeast: 0.5 },
        },
      ],
    };
  },
};
