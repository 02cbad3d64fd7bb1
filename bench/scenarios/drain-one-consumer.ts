import { readScript, runStatements } from '../../database/sql-script.ts';
import { drain, drainingSide, FROZEN_FOR_LONG } from '../drain.ts';
import { interleave } from '../interleave.ts';
import { costRows, createProcessorCost, wholeCost } from '../processor-cost.ts';
import type { Scenario } from '../scenario.ts';

/** The tables and routines of version 1, from which an upgrade begins. */
const VERSION_1 = 'upgrades/older/1a.sql';

/** B5 and B15: how fast one consumer process works off a backlog, of words and of events of which each is a call of its own. */
export const drainOneConsumer: Scenario = {
  names: ['B5', 'B15'],
  what: 'drain of 200,000 by one consumer, against version 1 and one by one; and by a plain function',
  seconds: 85,
  async run({ database, serverPid, startWordService, startConsumer, startOldConsumer, rounds, pick, say }) {
    const { db } = await database();
    const old = await database('_version_1', async (empty) => runStatements(empty, await readScript(VERSION_1)));
    const words = await startWordService();
    const ours = await startConsumer(FROZEN_FOR_LONG);
    const single = await startConsumer({ ...FROZEN_FOR_LONG, CONSUMER_BATCH: '1', CONSUMER_CONCURRENCY: '1' });
    const version1 = await startOldConsumer(old);
    const nothing = await startConsumer(FROZEN_FOR_LONG, 'nothing');
    for (const consumer of [ours, single, version1, nothing]) consumer.freeze();
    const cost = createProcessorCost({ MySQL: [serverPid], consumer: [ours.pid], 'word service': [words.pid] });
    const oldCost = createProcessorCost({ all: [serverPid, version1.pid, words.pid] });
    const plainCost = createProcessorCost({ MySQL: [serverPid], consumer: [nothing.pid] });
    const events = pick(200_000, 20_000);
    const measured = await interleave(
      {
        'one by one': (isWarmUp) => drain({ db, consumers: [single] }, isWarmUp ? 100 : pick(500, 100)),
        'version 1': drainingSide({ db: old.db, consumers: [version1], cost: oldCost }, events),
        words: drainingSide({ db, consumers: [ours], cost }, events),
        'a plain function': drainingSide({ db, consumers: [nothing], kind: 'nothing', cost: plainCost }, events),
      },
      rounds,
      say,
    );
    const against = (name: keyof typeof measured) => ({ name, values: measured[name] });
    const drained = { scenario: 'B5', what: 'drain, one consumer', unit: 'fills/s', ours: measured.words };
    return {
      rows: [
        { ...drained, baseline: against('version 1'), bar: { atLeast: 1.1 } },
        { ...drained, baseline: against('one by one'), bar: { atLeast: 30 } },
        {
          scenario: 'B5',
          what: 'processor of a fill, all processes',
          unit: 'µs',
          ours: wholeCost(cost),
          baseline: { name: 'version 1', values: wholeCost(oldCost) },
        },
        ...costRows('B5', 'of it', cost),
        {
          scenario: 'B15',
          what: 'drain by a plain function, 500 events at once',
          unit: 'fills/s',
          ours: measured['a plain function'],
          baseline: against('words'),
          bar: { atLeast: 0.8 },
        },
        ...costRows('B15', 'processor of a fill by a plain function', plainCost),
      ],
    };
  },
};
