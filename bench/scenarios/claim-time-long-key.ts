import { createEvents } from '../../database/events/create.ts';
import { CLAIM, measureClaims } from '../claim-in-turn.ts';
import type { Scenario } from '../scenario.ts';

const OTHERS = 10_000;
const CREATE_AT_ONCE = 10_000;

/** B18: the events that wait for others of their key must cost a claim nothing. */
export const claimTimeLongKey: Scenario = {
  names: ['B18'],
  what: 'time of a claim beside 100,000 events that wait for their key',
  seconds: 20,
  async run(stage) {
    const { database, pick, say } = stage;
    const [{ db: longKey }, { db: without }] = [await database('_with'), await database('_without')];
    const waiting = pick(100_000, 20_000);
    say(`preparing ${waiting.toLocaleString('en-US')} events of one key`);
    for (let created = 0; created < waiting; created += CREATE_AT_ONCE) {
      await createEvents(
        longKey,
        Array.from({ length: CREATE_AT_ONCE }, () => ({ key: 'long' })),
      );
    }
    for (const db of [longKey, without]) {
      await createEvents(
        db,
        Array.from({ length: OTHERS }, (_, n) => ({ key: `key ${n}` })),
      );
    }
    const [ours, values] = (await measureClaims([longKey, without], stage)) as [number[], number[]];
    const what = `claim of ${CLAIM}, one key has ${waiting.toLocaleString('en-US')} events`;
    const baseline = { name: 'no such key', values };
    return { rows: [{ scenario: 'B18', what, unit: 'ms', ours, baseline, bar: { atMost: 1.2 } }] };
  },
};
