import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { createConnection } from 'mysql2/promise';
import { create } from '../clients.ts';
import type { Part } from '../part.ts';
import { areFilled, heldBy, idsWhere } from '../questions.ts';
import type { FaultRow } from '../run-row.ts';
import type { NewTask, Task } from '../runs.ts';
import type { FaultSystem } from '../system.ts';

const LEASE_MS = 1_000;
/** As handlers.ts says of the kind `trouble`. */
const ATTEMPTS = 3;

const BAD: Task[] = [
  { does: 'throw' },
  { does: 'exit' },
  { does: 'exit', ms: 50 },
  { does: 'block', ms: 1.5 * LEASE_MS },
  { does: 'hang' },
  { does: 'huge' },
  { does: 'nonsense' },
];

export const handlerRows: FaultRow[] = [
  {
    id: 'F61',
    what: 'handlers that throw, exit the process, block it past the lease, hang, return 10 MB or no JSON',
    bar: `each of these events is dead after ${ATTEMPTS} attempts; 1,000 good events beside them are filled`,
    system: { consumers: 3, handlers: true, env: { LEASE_MS: String(LEASE_MS) } },
    clients: { lanes: 2, tasks: 0.5, waitSeconds: 5 },
    drainLimitMs: 60_000,
    async run(run) {
      const { system, random, watch, isShort, check, until } = run;
      watch.consumersWork = false; // they end, and are blocked
      await using _ = keepRunning(system.consumers);
      // Of the same kind, and so with as few attempts: none dies of the company that it keeps.
      const good = Array.from({ length: 1_000 }, (): NewTask => ({ kind: 'trouble', payload: { does: 'answer' } }));
      const bad = BAD.flatMap((payload) =>
        Array.from({ length: isShort ? 1 : 3 }, (): NewTask => ({ kind: 'trouble', payload })),
      );
      const all = [...good, ...bad].map((task) => ({ task, lot: random.next() })).toSorted((a, b) => a.lot - b.lot);
      const tasks = all.map(({ task }) => task);
      const { id } = await create({ front: system.fronts[0]!, ledger: system.ledger }, { kind: 'create-async', tasks });
      const idsOf = (areGood: boolean) =>
        tasks.flatMap(({ payload }, n) => ((payload!.does === 'answer') === areGood ? [id! + n] : []));
      await until(
        'the end of all',
        () =>
          areFilled(
            system.db,
            tasks.map((_, n) => id! + n),
          ),
        100_000,
      );
      const dead = await idsWhere(
        system.db,
        sql`due_at IS NULL AND failures = ${ATTEMPTS} AND id IN (${sql.join(idsOf(false))})`,
      );
      check(dead.length === bad.length, `${dead.length} of ${bad.length} bad events died after ${ATTEMPTS} failures`);
      const unfilled = await idsWhere(system.db, sql`valor IS NULL AND id IN (${sql.join(idsOf(true))})`);
      check(unfilled.length === 0, `${unfilled.length} good events were not filled`);
    },
  },
  {
    id: 'F64',
    what: 'a stranger keeps one row of a batch locked for 20 s',
    bar: 'the others are filled within 1 s; it is named in the log, and filled 1 s after the lock is gone',
    system: { consumers: 1, env: { LEASE_MS: '30000' } },
    clients: false, // until the claim is there: other events would take the places that are held
    async run(run) {
      const { system, isShort, check, enough, measure, pass, startClients, until } = run;
      const [consumer] = system.consumers;
      const call = system.words.hold(consumer!.name);
      const front = { front: system.fronts[0]!, ledger: system.ledger };
      const { id } = await create(front, { kind: 'create-async', events: 100 });
      const ids = Array.from({ length: 100 }, (_, n) => id! + n);
      const areHeld = async () => (await idsWhere(system.db, heldBy(consumer!))).includes(ids.at(-1)!);
      await until('the claim', areHeld, 10_000);
      const locked = run.random.pick(ids);
      const unlock = await lockRow(system, locked);
      call.release();
      const clients = startClients({ sync: 0 });
      const others = ids.filter((other) => other !== locked);
      measure('the others', await until('the words of the others', () => areFilled(system.db, others), 5_000), 1_000);
      await pass(isShort ? 6_000 : 20_000);
      const isNamed = consumer!.lines.some(({ text }) => text.includes('locked') && text.includes(`"ids":[${locked}]`));
      check(isNamed, `the log does not name ${locked}`);
      await unlock();
      measure('the locked one', await until('its word', () => areFilled(system.db, [locked]), 5_000), 1_000);
      await enough();
      await clients.stop();
    },
  },
];

/** From a connection that works on another database, as a stranger's may. Resolves to what takes the lock away again. */
async function lockRow({ db, serverUrl }: FaultSystem, id: number): Promise<() => Promise<void>> {
  const { rows } = await sql<{ name: string }>`SELECT DATABASE() AS name`.execute(db);
  const stranger = await createConnection(`${serverUrl}mysql`);
  await stranger.query('START TRANSACTION');
  await stranger.query('SELECT id FROM ??.Events WHERE id = ? FOR UPDATE', [rows[0]!.name, id]);
  return () => stranger.end();
}

/** Starts what ends by itself again, as whoever runs it does, until it is disposed of. */
export function keepRunning(parts: readonly Part[]): AsyncDisposable {
  const stop = new AbortController();
  const keeping = parts.map(async (part) => {
    while (!stop.signal.aborted) {
      if (!part.isRunning()) await part.start().catch(() => {}); // it may end again before it is ready
      await sleep(50, undefined, { signal: stop.signal }).catch(() => {});
    }
  });
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await Promise.all(keeping);
    },
  };
}
