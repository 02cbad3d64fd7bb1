import { sql } from 'kysely';
import { create } from '../clients.ts';
import { isCreate } from '../ledger.ts';
import { idsWhere, longestGap } from '../questions.ts';
import type { FaultRow } from '../run-row.ts';
import { CREATE, LOOK } from '../statements.ts';

const GONE_CLIENTS = 500;

export const producerRows: FaultRow[] = [
  {
    id: 'F01',
    what: 'SIGKILL a producer under load, start it again; ten times',
    bar: 'only its requests in flight fail',
    cutsClients: true,
    async run({ system, random, isShort, check, pass, until }) {
      for (let round = 1; round <= (isShort ? 2 : 10); round++) {
        const victim = random.pick(system.producers);
        await pass(random.between(200, 800));
        const before = performance.now();
        await victim.kill();
        const gone = performance.now();
        await victim.start();
        await until('an acknowledgement by it', () => system.ledger.nextAcknowledged().then(() => true), 5_000);
        const unknown = system.ledger.operations.filter(
          ({ outcome, isCut, sentAt, answeredAt = 0 }) =>
            outcome === 'unknown' && isCut && answeredAt > before && sentAt > gone,
        );
        check(unknown.length === 0, `${unknown.length} requests sent after the kill have an unknown outcome`);
      }
    },
  },
  {
    id: 'F03',
    what: 'SIGTERM with held create-sync; rolling restart of both producers behind nginx at 500 creates/s',
    bar: '0 failed POSTs without client retries; exit within 10 s',
    system: { nginx: true },
    clients: { lanes: 16, pauseMs: 20, sync: 0.1 },
    least: 1_000,
    async run({ system, isShort, check, pass }) {
      const from = performance.now();
      for (let round = 1; round <= (isShort ? 1 : 3); round++) {
        for (const producer of system.producers) {
          await pass(1_000);
          await producer.stop();
          await producer.start();
        }
      }
      await pass(500);
      const failed = system.ledger.operations.filter(
        (one) => isCreate(one) && (one.outcome === 'failed' || one.outcome === 'unknown'),
      );
      const seconds = (performance.now() - from) / 1_000;
      check(failed.length === 0, `${failed.length} creates failed in ${Math.round(seconds)} s: ${failed[0]?.status}`);
    },
  },
  {
    id: 'F16',
    what: 'SIGSTOP a producer in mid-create for 5 s',
    bar: "the other producer's creates go on within 3 s",
    clients: false,
    async run({ system, random, isShort, measure, startClients, enough, pass, until }) {
      for (let round = 1; round <= (isShort ? 1 : 5); round++) {
        const frozen = random.pick(system.producers);
        const other = system.producers.find((producer) => producer !== frozen)!;
        // Frozen while its transaction is on the server: the reply waits for a process that does not read it.
        const call = frozen.database.intercept({
          pattern: CREATE,
          side: 'request',
          act: () => {
            frozen.freeze();
            return 'pass';
          },
        });
        const clients = startClients({ fronts: [frozen.url], lanes: 2, sync: 0 });
        await until('a create under way', () => call.matched() > 0, 10_000);
        const others = startClients({ fronts: [other.url] });
        const from = performance.now();
        await pass(isShort ? 3_500 : 5_000);
        const fromOther = system.ledger.operations;
        measure('longest gap of the other', longestGap(fromOther, from, performance.now()), 3_000);
        call.release();
        frozen.thaw();
        await enough();
        await Promise.all([clients.stop(), others.stop()]);
      }
    },
  },
  {
    id: 'F30',
    what: `${GONE_CLIENTS} clients leave a create-sync at random moments`,
    bar: 'nobody is waited for any more; the events are filled',
    system: { env: { CREATE_WAIT_MS: '15000' } }, // a busy machine would refuse most of them
    clients: false,
    async run({ system, random, watch, check, until, pass }) {
      watch.consumersWork = false;
      for (const consumer of system.consumers) consumer.freeze();
      const looks = system.producers.map(({ database }) =>
        database.intercept({ pattern: LOOK, side: 'request', act: () => 'pass' }),
      );
      const looked = () => looks.reduce((sum, { matched }) => sum + matched(), 0);
      // On a busy machine all might leave before their create is there: so every other one stays until enough of them are.
      const areThere = async () => (await idsWhere(system.db, sql`id > 0`)).length >= GONE_CLIENTS / 2;
      const enough = until('half of the creates', areThere, 15_000);
      const clients = Array.from({ length: GONE_CLIENTS }, async (_, n) => {
        const stayMs = random.between(1, 2_000);
        await pass(n * 5);
        const leaving = new AbortController();
        const left = pass(stayMs)
          .then(() => (n % 4 < 2 ? enough : undefined))
          .then(() => leaving.abort());
        const leave = leaving.signal;
        await create({ front: system.fronts[n % 2]!, ledger: system.ledger, leave }, { kind: 'create-sync' });
        await left;
      });
      await Promise.all(clients);
      check(looked() > 0, 'nobody was ever waited for');
      // Who waits for nobody asks nothing.
      let before = -1;
      await until(
        'the end of the waiting',
        async () => {
          before = looked();
          await pass(500);
          return looked() === before;
        },
        10_000,
      );
      for (const { release } of looks) release();
      for (const consumer of system.consumers) consumer.thaw();
      const created = await idsWhere(system.db, sql`id > 0`);
      await until('the words of all', async () => (await idsWhere(system.db, sql`open = 1`)).length === 0, 10_000);
      check(
        created.length >= GONE_CLIENTS / 2,
        `only ${created.length} of ${GONE_CLIENTS} creates came to the database`,
      );
      // A load afterwards, which shows that nothing is left of it.
      const more = Array.from({ length: 200 }, (_, n) =>
        create({ front: system.fronts[n % 2]!, ledger: system.ledger }, { kind: 'create-sync' }),
      );
      const answered = (await Promise.all(more)).filter(({ outcome }) => outcome === 'ok');
      check(answered.length === 200, `only ${answered.length} of 200 were answered afterwards`);
    },
  },
];
