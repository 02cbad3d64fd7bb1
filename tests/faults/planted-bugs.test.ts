import { readFile } from 'node:fs/promises';
import { sql } from 'kysely';
import { expect, inject, test } from 'vitest';
import type { Database } from '../../database/connect.ts';
import { splitStatements } from '../../database/sql-script.ts';
import { create } from './clients.ts';
import type { InvariantName } from './invariants.ts';
import type { plantedEdits } from './planted-edits.ts';
import { heldBy, idsWhere } from './questions.ts';
import { type FaultRow, type FaultRun, runRow } from './run-row.ts';
import { CREATE, FILL } from './statements.ts';
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
  clients?: FaultRow['clients'];
  run: FaultRow['run'];
}

const QUICK_LEASE = { env: { LEASE_MS: '1000' } };

const bugs: PlantedBug[] = [
  {
    name: 'fill without the fence',
    caughtBy: 'C11',
    edits: 'fill without the fence',
    system: QUICK_LEASE,
    clients: false,
    run: (run) => fillLate(run, 'while the next holder waits for its words'),
  },
  {
    // The fence alone would refuse it, and the trigger would undo it: all three are taken away.
    name: 'fill without "still empty"',
    caughtBy: 'C3',
    edits: 'fill without "still empty"',
    prepare: async (db) => void (await sql`DROP TRIGGER keep_filled_and_lease`.execute(db)),
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
    prepare: (db) => editRoutine(db, 'claim_events', 'due_at <= NOW(3)', 'due_at IS NOT NULL'),
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
];

test.each(bugs)('$name is caught by $caughtBy', async ({ name, caughtBy, edits, prepare, run, clients, system }) => {
  let started: Promise<FaultSystem> | undefined;
  const { violations } = await runRow(
    {
      id: name,
      what: name,
      bar: '',
      run,
      ...(clients === undefined ? {} : { clients }),
      ...(system ? { system } : {}),
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
