import { FROZEN_FOR_LONG } from '../drain.ts';
import { type LoadResult, postAtConstantRate } from '../load/constant-rate.ts';
import type { Scenario } from '../scenario.ts';
import { startWholeSystem, type WholeSystem } from '../whole-system.ts';

const RATE = 20;

/** B8: how long a caller waits for its word when there is little to do, with the default polls and with quick ones. */
export const createSyncLatency: Scenario = {
  names: ['B8'],
  what: `create-sync at ${RATE} requests/s`,
  seconds: 27,
  async run(stage) {
    const { rounds, pick, say, signal } = stage;
    const standard = await startWholeSystem(stage, FROZEN_FOR_LONG);
    standard.consumers.forEach(({ freeze }) => freeze());
    const quick = await startWholeSystem(stage, {
      ...FROZEN_FOR_LONG,
      SYNC_POLL_MS: '5',
      CONSUMER_POLL_MS: '5',
    });
    quick.consumers.forEach(({ freeze }) => freeze());

    const load = { rate: RATE, seconds: pick(3.5, 2), warmUpSeconds: 0.5, windowSeconds: 60 };
    /** Only this system's consumers work, else the quick ones would serve the other's callers. */
    const measure = async ({ front, consumers }: WholeSystem) => {
      for (const consumer of consumers) consumer.thaw();
      const result = await postAtConstantRate({ ...load, url: `${front.url}/create-sync` }, signal);
      for (const consumer of consumers) consumer.freeze();
      if (result.firstFailure) throw new Error(`${result.failed} of ${result.sent} failed: ${result.firstFailure}`);
      return result;
    };
    const results = { standard: [] as LoadResult[], quick: [] as LoadResult[] };
    for (let round = 1; round <= rounds; round++) {
      say(`round ${round} of ${rounds}: default polls`);
      results.standard.push(await measure(standard));
      say(`round ${round} of ${rounds}: both polls at 5 ms`);
      results.quick.push(await measure(quick));
    }
    const row = (what: string, values: number[], atMost: number) => ({
      scenario: 'B8',
      what: `create-sync at ${RATE}/s, ${what}`,
      unit: 'ms',
      ours: values,
      bar: { atMost },
    });
    return {
      rows: [
        row(
          'p50',
          results.standard.map(({ all }) => all.p50),
          100,
        ),
        row(
          'p95',
          results.standard.map(({ all }) => all.p95),
          200,
        ),
        row(
          'polls at 5 ms, p50',
          results.quick.map(({ all }) => all.p50),
          12,
        ),
      ],
    };
  },
};
