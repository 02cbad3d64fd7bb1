import { create } from '../clients.ts';
import { isCreate } from '../ledger.ts';
import type { FaultRow } from '../run-row.ts';
import { CREATE } from '../statements.ts';

const DEADLINE_MS = 15_000;
/** A create-sync without a limit of its own would be held for as long as the fault lasts. */
const PATIENT = { waitSeconds: 3, deadlineMs: DEADLINE_MS };

export const networkRows: FaultRow[] = [
  {
    id: 'F21',
    what: 'the reply to a create is lost, 200 times',
    bar: '503 unknown; the same key again gives the same id, one row',
    clients: false,
    async run({ system, random, isShort, check, startClients, until }) {
      const luck = random.fork();
      const losses = isShort ? 30 : 200;
      const lossy = system.producers.map(({ database }) =>
        database.intercept({ pattern: CREATE, side: 'reply', act: () => (luck.chance(0.4) ? 'drop' : 'pass') }),
      );
      const clients = startClients({ lanes: 6, sync: 0.1, keys: 1, deadlineMs: DEADLINE_MS });
      await until('enough losses', () => lossy.reduce((sum, { stopped }) => sum + stopped(), 0) >= losses, 60_000);
      const creates = system.ledger.operations.filter(isCreate);
      for (const { release } of lossy) release();
      await clients.stop();
      // A create that waited too long for its turn is refused with 503, and an invariant says that it is not there.
      const failed = creates.filter(({ outcome, status }) => outcome === 'failed' && status !== 503);
      check(failed.length === 0, `a create failed with ${failed[0]?.status}`);
      const isSaid = creates.some(({ outcome, status }) => outcome === 'unknown' && status === 503);
      check(isSaid, 'no create was said to be unknown');
      const rest = { kind: 'create-async', events: 200, key: 'the-rest' } as const;
      await create({ front: system.fronts[0]!, ledger: system.ledger }, rest);
    },
  },
  {
    id: 'F22',
    what: '100 ms ± 100 ms to the database',
    bar: 'slower, correct',
    clients: PATIENT,
    suspends: ['C10'], // a claim takes as long as the network
    async run({ system, isShort, pass, check }) {
      for (const { database } of system.parts) database.delay(0, 200);
      const before = system.ledger.operations.length;
      await pass(isShort ? 3_000 : 15_000);
      const failed = system.ledger.operations.slice(before).filter(({ status = 0 }) => status >= 500);
      check(failed.length === 0, `${failed.length} requests failed`);
    },
  },
  {
    id: 'F23',
    what: 'a black hole between the processes and the database for 30 s',
    bar: 'no hang; recovered within the connect limit + 2 s (4 s)',
    clients: PATIENT,
    async run({ system, watch, isShort, measure, pass }) {
      watch.consumersWork = false;
      for (const { database } of system.parts) database.swallow(true);
      await pass(isShort ? 5_000 : 30_000);
      for (const { database } of system.parts) database.swallow(false);
      const back = performance.now();
      await system.ledger.nextAcknowledged();
      measure('recovery', performance.now() - back, 4_000);
    },
  },
  {
    id: 'F25',
    what: 'every connection to the database is cut each 200 ms for 20 s',
    bar: 'at most 20 new connections a second for each process; none left behind',
    system: { handlers: true },
    clients: { ...PATIENT, tasks: 0.5 },
    async run({ system, watch, isShort, check, pass }) {
      watch.consumersWork = false;
      const opened = system.parts.map(({ database }) => database.opened());
      const cuts = (isShort ? 3 : 20) * 5;
      for (let cut = 1; cut <= cuts; cut++) {
        await pass(200);
        for (const { database } of system.parts) {
          if (cut % 2 === 0) database.cut();
          else database.reset();
        }
      }
      const seconds = cuts / 5;
      for (const [n, { name, database }] of system.parts.entries()) {
        const rate = (database.opened() - opened[n]!) / seconds;
        check(rate <= 20, `${name} opened ${Math.round(rate)} connections a second`);
        check(database.open() <= 10, `${name} has ${database.open()} connections open`);
      }
    },
  },
];
