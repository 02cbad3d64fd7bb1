import { readFile } from 'node:fs/promises';
import { sql } from 'kysely';
import { expect, inject, test } from 'vitest';
import type { Database } from '../../database/connect.ts';
import { splitStatements } from '../../database/sql-script.ts';
import { type ClientsOptions, create } from './clients.ts';
import type { InvariantName } from './invariants.ts';
import type { plantedEdits } from './planted-edits.ts';
import { heldBy, idsWhere } from './questions.ts';
import { keepRunning } from './rows/handlers.ts';
import { type FaultRow, type FaultRun, runRow } from './run-row.ts';
import { CREATE, FILL, FILL_HELD } from './statements.ts';
import type { FaultSystem, SystemOptions } from './system.ts';

/** Bugs that the checks must catch: each is planted in a system of its own, and the check that is there for it sees it. */
interface PlantedBug {
  name: string;
  caughtBy: InvariantName;
  /** In the source of the processes, … */
  edits?: keyof typeof plantedEdits;
  /** … or in the database. */
  prepare?: (db: Database) => Promise<void>;
  system?: SystemOptions;
  clients?: ClientsOptions | false;
  drainLimitMs?: number;
  run: FaultRow['run'];
}

const QUICK_LEASE = { env: { LEASE_MS: '1000' } };
const TASKS = { system: { ...QUICK_LEASE, handlers: true }, clients: { tasks: 1 } };
const ANSWER = { does: 'answer' } as const;
const FENCE =
  /WHERE Events\.open = 1 AND .* Events\.claimed_by = consumer .*\s+AND Events\.lease_until > UTC_TIMESTAMP\(3\) AND/;

const bugs: PlantedBug[] = [
  {
    name: 'fill without the fence',
    caughtBy: 'C11',
    prepare: (db) => editRoutine(db, 'fill_held', FENCE, 'WHERE Events.open = 1 AND'),
    system: QUICK_LEASE,
    clients: false,
    run: (run) => fillLate(run, 'while the next holder waits for its words'),
  },
  {
    // The fence alone would refuse it, and the trigger would undo it: all three are taken away.
    name: 'fill without "still empty"',
    caughtBy: 'C3',
    async prepare(db) {
      await editRoutine(db, 'fill_held', FENCE, 'WHERE');
      await sql`DROP TRIGGER keep_filled_and_lease`.execute(db);
    },
    system: QUICK_LEASE,
    clients: false,
    run: (run) => fillLate(run, 'after the next holder has filled'),
  },
  {
    name: 'acknowledge before commit',
    caughtBy: 'C1',
    edits: 'acknowledge before commit',
    system: { producers: 1 }, // a second one would be promised the same ids
    clients: false,
    async run({ system, startClients, until }) {
      const [producer] = system.producers;
      const clients = startClients({ sync: 0, pauseMs: 1 });
      await until('acknowledged creates', () => system.ledger.operations.length > 300, 20_000);
      await system.ledger.nextAcknowledged();
      // No more creates after the kill: they would be given the ids that are lost.
      const stopped = clients.stop();
      await producer!.kill();
      await stopped;
    },
  },
  {
    name: 'a claim that ignores the lease',
    caughtBy: 'C11',
    prepare: (db) => editRoutine(db, 'take_back_events', /AND (Events\.)?lease_until <= UTC_TIMESTAMP\(3\)/g, ''),
    async run({ system, until }) {
      const { waiting, release } = system.words.hold('consumer-1');
      await until('a held call', () => waiting() > 0, 10_000);
      await until(
        'a second claim of it',
        async () => (await idsWhere(system.db, sql`attempts > 1`)).length > 0,
        10_000,
      );
      release();
    },
  },
  {
    // The moment between the two is stretched, so that one kill finds it.
    name: 'counter outside the transaction',
    caughtBy: 'C6',
    prepare: (db) =>
      editRoutine(
        db,
        'create_events',
        /START TRANSACTION;\s+UPDATE DBStatus SET id = LAST_INSERT_ID\(id \+ how_many\);\s+SET last_id = LAST_INSERT_ID\(\);/,
        'UPDATE DBStatus SET id = LAST_INSERT_ID(id + how_many); SET last_id = LAST_INSERT_ID(); DO SLEEP(0.1); START TRANSACTION;',
      ),
    run: async ({ system, pass }) => {
      for (let kill = 1; kill <= 3; kill++) {
        await pass(250);
        await killCreates(system);
      }
    },
  },
  {
    name: 'a create sent again after an unknown outcome',
    caughtBy: 'C6',
    edits: 'a create sent again after an unknown outcome',
    async run({ system, random, until }) {
      const luck = random.fork();
      const losing = system.producers.map(({ database }) =>
        database.intercept({ pattern: CREATE, side: 'reply', act: () => (luck.chance(0.3) ? 'drop' : 'pass') }),
      );
      await until('ten losses', () => losing.reduce((sum, { stopped }) => sum + stopped(), 0) >= 10, 10_000);
    },
  },
  { name: 'REPEATABLE READ', caughtBy: 'C13', edits: 'REPEATABLE READ', run: ({ pass }) => pass(100) },
  {
    name: 'the pool wrapper taken away',
    caughtBy: 'C9',
    edits: 'the pool wrapper taken away',
    clients: { sync: 0, deadlineMs: 6_000 },
    async run({ system, watch, pass }) {
      watch.consumersWork = false;
      for (const { database } of system.producers) database.swallow(true);
      await pass(7_000);
    },
  },
  {
    name: "effect outside the fill's transaction",
    caughtBy: 'C15',
    edits: "effect outside the fill's transaction",
    system: { ...TASKS.system, consumers: 1 },
    clients: false,
    async run({ system, until }) {
      const [victim] = system.consumers;
      const fill = victim!.database.intercept({ pattern: FILL_HELD, side: 'request', act: () => 'hold' });
      const front = { front: system.fronts[0]!, ledger: system.ledger };
      const tasks = Array.from({ length: 200 }, (_, n) => ({ kind: n < 5 ? 'done' : 'task', payload: ANSWER }));
      await create(front, { kind: 'create-async', tasks });
      await until('an effect before its fill', () => fill.stopped() > 0, 10_000);
      await victim!.kill();
    },
  },
  {
    // The moment between the two is stretched here, too.
    name: 'the next of a key let go before the commit',
    caughtBy: 'C14',
    async prepare(db) {
      await editRoutine(db, 'pass_on_keys', 'WHERE Events.open IS NULL', '');
      const early =
        'START TRANSACTION; IF has_keys THEN CALL pass_on_keys(fills); END IF; COMMIT; DO SLEEP(0.2); START TRANSACTION;';
      await editRoutine(db, 'fill_events', 'START TRANSACTION;', early);
    },
    ...TASKS,
    run: ({ pass }) => pass(1_000),
  },
  {
    name: 'the next of a key let go when its event is only given back',
    caughtBy: 'C14',
    prepare: (db) => editRoutine(db, 'pass_on_keys', 'WHERE Events.open IS NULL', ''),
    ...TASKS,
    run: ({ pass }) => pass(1_000),
  },
  {
    name: 'a wake-up lost: the next of a key is never due',
    caughtBy: 'C2',
    // The look for it, which comes every ten seconds, is taken away as well.
    async prepare(db) {
      await editRoutine(db, 'free_keys', 'IF next_ids IS NOT NULL THEN', 'IF FALSE THEN');
      await editRoutine(db, 'look_at_keys', /OR Events\.due_at >= '9999-12-31'/, '');
    },
    ...TASKS,
    drainLimitMs: 2_000,
    run: ({ pass }) => pass(100),
  },
  {
    name: '`later` counted as a failure',
    caughtBy: 'C16',
    prepare: (db) => editRoutine(db, 'give_back_held', "IN ('failed', 'refused')", "IN ('failed', 'refused', 'later')"),
    ...TASKS,
    run: ({ pass }) => pass(100),
  },
  {
    name: 'the poison rule taken away',
    caughtBy: 'C2',
    prepare: (db) => editRoutine(db, 'take_back_events', 'Events.failures + 1 >= max_failures', 'FALSE'),
    ...TASKS,
    drainLimitMs: 2_000,
    async run({ system, until }) {
      await using _ = keepRunning(system.consumers);
      const front = { front: system.fronts[0]!, ledger: system.ledger };
      await create(front, { kind: 'create-async', tasks: [{ kind: 'trouble', payload: { does: 'exit' } }] });
      const hasCircled = async () => (await idsWhere(system.db, sql`failures > 3`)).length > 0;
      await until('the fourth failure', hasCircled, 45_000);
    },
  },
];

test.each(bugs)('$name is caught by $caughtBy', async ({ name, caughtBy, edits, prepare, ...row }) => {
  let started: Promise<FaultSystem> | undefined;
  const { violations } = await runRow(
    {
      id: name,
      what: name,
      bar: '',
      ...row,
    },
    {
      seed: 1,
      serverUrl: inject('serverUrl'),
      planted: {
        ...(edits ? { nodeArgs: () => ['--import', `${import.meta.resolve('./plant.ts')}?bug=${edits}`] } : {}),
        ...(prepare ? { prepare } : {}),
      },
      onStart: (running) => {
        started = running;
      },
    },
  );
  const planted = (await started!).parts.flatMap(({ lines }) => lines).filter(({ text }) => text.startsWith('planted'));
  expect(planted.length > 0).toBe(edits !== undefined);
  expect(violations.map(({ check }) => check)).toContain(caughtBy);
  expect(violations.filter(({ check }) => check === 'bar')).toEqual([]); // the scenario itself came about
});

/** The fill of a consumer is held on its way past its lease, until another has taken the events over, or has filled them. */
async function fillLate(
  { system, until }: FaultRun,
  when: 'while the next holder waits for its words' | 'after the next holder has filled',
): Promise<void> {
  const [late, next] = system.consumers;
  next!.freeze();
  const fill = late!.database.intercept({ pattern: FILL, side: 'request', act: () => 'hold' });
  await create({ front: system.fronts[0]!, ledger: system.ledger }, { kind: 'create-async', events: 200 });
  await until('a fill on its way', () => fill.stopped() > 0, 10_000);
  late!.freeze();
  const words = when === 'while the next holder waits for its words' ? system.words.hold(next!.name) : undefined;
  next!.thaw();
  const isTakenOver = async () =>
    words
      ? (await idsWhere(system.db, heldBy(next!))).length > 0
      : (await idsWhere(system.db, sql`open = 1`)).length === 0;
  await until('the takeover', isTakenOver, 10_000);
  const thawedAt = performance.now();
  fill.release();
  late!.thaw();
  const isTold = () => late!.lines.some(({ at, text }) => at > thawedAt && text.includes('"filled":'));
  await until('the late fill', isTold, 10_000);
  words?.release();
}

async function editRoutine(db: Database, name: string, is: string | RegExp, becomes: string): Promise<void> {
  const script = await readFile(new URL('../../database/init.sql', import.meta.url), 'utf8');
  const routine = splitStatements(script).find((statement) => statement.includes(`CREATE PROCEDURE ${name}`))!;
  const edited = routine.replace(is, () => becomes);
  if (edited === routine) throw new Error(`cannot plant a bug in ${name}: it no longer has ${is}`);
  await sql.raw(`DROP PROCEDURE ${name}`).execute(db);
  await sql.raw(edited).execute(db);
}

async function killCreates({ db }: FaultSystem): Promise<void> {
  const { rows } = await sql<{ id: number }>`
    SELECT ID AS id FROM information_schema.PROCESSLIST
    WHERE DB = DATABASE() AND ID <> CONNECTION_ID() AND COMMAND <> 'Sleep'`.execute(db);
  for (const { id } of rows) await sql`KILL ${sql.lit(id)}`.execute(db).catch(() => {}); // it has gone already
}
