import { sql } from 'kysely';
import { connectDatabase, type Database } from '../../../database/connect.ts';
import { claimEvents } from '../../../database/events/claim.ts';
import { isCreate } from '../ledger.ts';
import { idsWhere } from '../questions.ts';
import type { FaultRow, FaultRun } from '../run-row.ts';
import type { FaultSystem } from '../system.ts';

/** A client of a database that is gone waits for the patience of the producer, and for its queue. */
const DEADLINE_MS = 15_000;
/** A create-sync without a limit of its own would be held for as long as the fault lasts. */
const PATIENT = { waitSeconds: 3, deadlineMs: DEADLINE_MS };

export const databaseRows: FaultRow[] = [
  {
    id: 'F09',
    what: 'processes started before MySQL; ten restarts of MySQL',
    bar: 'they wait, and are ready 3 s after it is up',
    ownServer: true,
    clients: PATIENT,
    cutsClients: true, // the processes are started anew
    async run({ system, watch, isShort, measure, until }) {
      watch.consumersWork = false;
      const restarts = isShort ? 2 : 10;
      await system.server!.stop();
      await Promise.all(system.parts.map((part) => part.kill()));
      await Promise.all(system.producers.map((part) => part.start()));
      // A consumer says nothing before it has seen the database.
      const consumers = Promise.all(system.consumers.map((part) => part.start()));
      for (let restart = 1; restart <= restarts; restart++) {
        await system.server!.start();
        const up = performance.now();
        await consumers;
        for (const { url } of system.producers) await until('readiness', () => isReady(url), 10_000);
        measure('ready', performance.now() - up, 3_000);
        await system.ledger.nextAcknowledged();
        if (restart < restarts) await system.server!.stop();
      }
    },
  },
  {
    id: 'F14',
    what: 'SIGKILL mysqld three times under load',
    bar: 'first acknowledgement 3 s after it is up again',
    ownServer: true,
    system: { handlers: true },
    clients: { ...PATIENT, tasks: 0.5 },
    async run({ system, random, watch, isShort, measure, pass }) {
      watch.consumersWork = false;
      // F62 has a third one in every test run.
      for (let crash = 1; crash <= (isShort ? 2 : 3); crash++) {
        await pass(random.between(300, isShort ? 600 : 2_000));
        await system.server!.kill();
        await pass(random.between(100, 500));
        await system.server!.start();
        const up = performance.now();
        await system.ledger.nextAcknowledged();
        measure('first acknowledgement', performance.now() - up, 3_000);
      }
    },
  },
  {
    id: 'F15',
    what: 'SIGSTOP mysqld for 5 s, and for 20 s',
    bar: '503 within the deadline, no hang, the pools whole afterwards',
    ownServer: true,
    clients: { sync: 0, deadlineMs: DEADLINE_MS },
    async run({ system, watch, isShort, check, measure, pass }) {
      watch.consumersWork = false;
      for (const ms of isShort ? [5_000] : [5_000, 20_000]) {
        const from = performance.now();
        process.kill(system.server!.pid(), 'SIGSTOP');
        await pass(ms);
        const answered = system.ledger.operations.filter((one) => one.sentAt > from && one.answeredAt !== undefined);
        process.kill(system.server!.pid(), 'SIGCONT');
        const thawed = performance.now();
        await system.ledger.nextAcknowledged();
        measure('recovery', performance.now() - thawed, 3_000);
        check(ms < 10_000 || answered.some(({ status }) => status === 503), 'nothing was refused meanwhile');
        measure('slowest answer', Math.max(0, ...answered.map((one) => one.answeredAt! - one.sentAt)), 10_000);
      }
    },
  },
  {
    id: 'F17',
    what: 'logins refused for 5 s; then max_connections reached for 5 s',
    bar: 'at most a log line a second, recovers by itself within 3 s',
    ownServer: true,
    clients: PATIENT,
    async run(run) {
      const { system, watch } = run;
      watch.consumersWork = false;
      const user = sql.raw("'user'@'%'");
      await shutOut(run, () => sql`ALTER USER ${user} IDENTIFIED BY 'another'`.execute(system.db));
      await comeBack(run, () => sql`ALTER USER ${user} IDENTIFIED BY 'password'`.execute(system.db));

      const { rows } = await sql<{ most: number }>`SELECT @@max_connections AS most`.execute(system.db);
      const crowd = connectDatabase({ url: `${system.serverUrl}mysql`, poolSize: 12 });
      await shutOut(run, async () => {
        await Promise.all(Array.from({ length: 12 }, () => sql`SELECT SLEEP(0.5)`.execute(crowd)));
        await sql`SET GLOBAL max_connections = 10`.execute(system.db);
      });
      await comeBack(run, () => sql`SET GLOBAL max_connections = ${sql.lit(rows[0]!.most)}`.execute(system.db));
      await crowd.destroy();
    },
  },
  {
    id: 'F18',
    what: 'the server turns read-only for 10 s, as after a failover',
    bar: '503 meanwhile; recovers within 2 s without a restart',
    ownServer: true,
    system: { prepare: obeyReadOnly },
    clients: PATIENT,
    async run({ system, watch, isShort, check, measure, pass, until }) {
      watch.consumersWork = false;
      await setReadOnly(system, true);
      const from = performance.now();
      const isRefused = () =>
        system.ledger.operations.some((one) => isCreate(one) && one.sentAt > from && one.status === 503);
      await until('a refusal', isRefused, 10_000);
      await pass(isShort ? 1_000 : 10_000);
      const answered = system.ledger.operations.filter((one) => isCreate(one) && (one.answeredAt ?? 0) > from);
      check(
        answered.some(({ status }) => status === 503),
        'no create was refused',
      );
      const taken = answered.filter(({ sentAt, status }) => sentAt > from && status !== 503);
      check(taken.length === 0, `a create was answered ${taken[0]?.status} by a read-only server`);
      await setReadOnly(system, false);
      const back = performance.now();
      await system.ledger.nextAcknowledged();
      measure('recovery', performance.now() - back, 2_000);
      check(system.exits.length === 0, 'a process ended');
    },
  },
  {
    id: 'F20',
    what: 'idle connections killed; wait_timeout=2',
    bar: '0 client errors',
    ownServer: true,
    clients: false,
    async run({ system, isShort, check, startClients, pass, until }) {
      await sql`SET GLOBAL wait_timeout = 2`.execute(system.db);
      for (let round = 1; round <= (isShort ? 2 : 5); round++) {
        const clients = startClients({ lanes: 16 });
        await pass(1_000);
        await clients.stop();
        if (round % 2 === 0) {
          await pass(3_000); // longer than the server would keep them, if it decided
          continue;
        }
        const idle = await connectionIds(system);
        await killConnections(system);
        const areGone = async () => (await connectionIds(system)).every((id) => !idle.includes(id));
        await until('the end of idle connections', areGone, 5_000);
      }
      const failed = system.ledger.operations.filter(({ outcome, status }) => outcome !== 'ok' && status !== 404); // not created yet
      check(failed.length === 0, `${failed.length} requests failed, the first with ${failed[0]?.status}`);
    },
  },
  {
    id: 'F55',
    what: '1,000,000 filled rows and 10,000 that wait',
    bar: 'a claim reads at most twice as many rows as it takes',
    ownServer: true,
    clients: false,
    least: 0,
    suspends: ['C3', 'C4', 'C6', 'C10'], // the rows were put there by the test, filled already, and wait for long
    async run({ system, isShort, check, measure, until }) {
      for (const consumer of system.consumers) consumer.freeze();
      const filled = isShort ? 100_000 : 1_000_000;
      const { db } = system;
      await sql`CREATE TABLE digits AS SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4
        UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9`.execute(db);
      await sql`
        INSERT INTO Events (id, valor)
        SELECT n, IF(n <= ${filled}, 'ar', NULL) FROM (
          SELECT 1 + a.d + 10 * b.d + 100 * c.d + 1000 * d.d + 10000 * e.d + 100000 * f.d + 1000000 * g.d AS n
          FROM digits a, digits b, digits c, digits d, digits e, digits f, (SELECT d FROM digits WHERE d <= 1) g
        ) AS numbers WHERE n <= ${filled + 10_000}`.execute(db);
      await sql`UPDATE DBStatus SET id = ${filled + 10_000}`.execute(db);
      const limit = 500;
      await sql`FLUSH STATUS`.execute(db);
      const startedAt = performance.now();
      await claimEvents(db, { claimedBy: 'test.1', leaseMs: 1, kinds: [{ kind: 'word', limit, maxFailures: 5 }] });
      measure('a claim', performance.now() - startedAt, 500);
      const { rows } = await sql<{ Value: string }>`SHOW SESSION STATUS LIKE 'Handler_read_next'`.execute(db);
      const few = 20; // of Kinds and payloads
      check(Number(rows[0]!.Value) <= 2 * limit + few, `a claim of ${limit} read ${rows[0]!.Value} rows`);
      for (const consumer of system.consumers) consumer.thaw();
      const drained = async () => (await idsWhere(db, sql`open = 1`)).length === 0;
      measure('draining 10,000', await until('the drain', drained, 60_000), 30_000);
    },
  },
];

function isReady(url: string): Promise<boolean> {
  return fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) }).then(
    ({ ok }) => ok,
    () => false,
  );
}

/** Begins a spell in which no new connection comes about, ends the old ones, and counts what is said meanwhile. */
async function shutOut({ system, check, pass }: FaultRun, begin: () => Promise<unknown>): Promise<void> {
  await begin();
  await killConnections(system);
  const from = performance.now();
  const seconds = 5;
  await pass(seconds * 1_000);
  for (const { name, lines } of system.parts) {
    // A failed request has a line of its own, with its id, and so has each batch that is filled: some connections work.
    const said = lines.filter(({ at, text }) => at > from && !/"requestId"|"filled"/.test(text));
    check(said.length <= seconds + 1, `${name} wrote ${said.length} lines in ${seconds} s: ${said.at(-1)?.text}`);
  }
}

async function comeBack({ system, measure }: FaultRun, end: () => Promise<unknown>): Promise<void> {
  await end();
  const from = performance.now();
  await system.ledger.nextAcknowledged();
  measure('recovery', performance.now() - from, 3_000);
}

/** Connections of our processes, other than those of the test. */
async function connectionIds({ db }: FaultSystem): Promise<number[]> {
  const { rows } = await sql<{ id: number }>`
    SELECT ID AS id FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND ID <> CONNECTION_ID()`.execute(db);
  return rows.map(({ id }) => id);
}

async function killConnections(system: FaultSystem): Promise<void> {
  for (const id of await connectionIds(system)) {
    await sql`KILL ${sql.lit(id)}`.execute(system.db).catch(() => {}); // it has gone already
  }
}

/** `super_read_only` of MySQL binds everyone. MariaDB's `read_only` lets whoever holds READ ONLY ADMIN write on. */
async function setReadOnly({ db, serverUrl }: FaultSystem, on: boolean): Promise<void> {
  if (!(await isMariaDb(db))) return void (await sql`SET GLOBAL super_read_only = ${sql.lit(on ? 1 : 0)}`.execute(db));
  await asRoot(serverUrl, (root) => sql`SET GLOBAL read_only = ${sql.lit(on ? 1 : 0)}`.execute(root));
}

async function obeyReadOnly(db: Database, serverUrl: string): Promise<void> {
  if (!(await isMariaDb(db))) return;
  await asRoot(serverUrl, (root) => sql.raw("REVOKE READ ONLY ADMIN ON *.* FROM 'user'@'%'").execute(root));
}

async function isMariaDb(db: Database): Promise<boolean> {
  const { rows } = await sql<{ version: string }>`SELECT VERSION() AS version`.execute(db);
  return rows[0]!.version.includes('MariaDB');
}

async function asRoot(serverUrl: string, act: (root: Database) => Promise<unknown>): Promise<void> {
  const root = connectDatabase({ url: `${serverUrl.replace('user:password@', 'root@')}mysql`, poolSize: 1 });
  await act(root);
  await root.destroy();
}
