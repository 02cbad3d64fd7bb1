import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { afterAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { freePort } from '../start/free-port.ts';
import { type LocalServer, startLocalServer } from '../start/mysql/local-server.ts';
import { copyFreshServer } from '../tests/fresh-server.ts';
import { connectDatabase, type Database, type DatabaseOptions } from './connect.ts';
import { transactionsFor } from './transactions.ts';

/** Two servers that know nothing of each other; each takes writes while it is not read-only. */

interface Host {
  port: number;
  server: LocalServer;
  /** As somebody who may do everything. */
  admin: Database;
  setReadOnly: (on: boolean) => Promise<void>;
}

// No secret of the account may be taken for another host, and each way of writing it must reach the server.
const [LOGIN, PASSWORD] = ['app:p%40ss,w%25rd', 'p@ss,w%rd'];

async function startHost(): Promise<Host> {
  const directory = await mkdtemp(join(tmpdir(), 'event-queue-writer-'));
  await copyFreshServer(directory);
  const port = await freePort();
  const server = await startLocalServer({ directory, port });
  const admin = connectDatabase({ url: server.url(), poolSize: 2 });
  for (const statement of [
    `CREATE USER 'app'@'%' IDENTIFIED BY '${PASSWORD}'`,
    "GRANT ALL PRIVILEGES ON messages.* TO 'app'@'%'",
    'CREATE TABLE marks (id INT PRIMARY KEY)',
  ])
    await sql.raw(statement).execute(admin);
  afterAll(async () => {
    await admin.destroy();
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  });
  const setReadOnly = async (on: boolean) =>
    void (await sql`SET GLOBAL read_only = ${sql.lit(on ? 1 : 0)}`.execute(admin));
  return { port, server, admin, setReadOnly };
}

const [first, second] = await Promise.all([startHost(), startHost()]);
const both = [first, second];

beforeEach(async () => {
  await takesWrites(first);
  // A server may go on with a statement whose client has gone.
  for (const host of both) await killConnectionsTo(host);
  for (const { admin } of both) await sql`DELETE FROM marks`.execute(admin);
});

/** Makes all others read-only before. */
async function takesWrites(...writers: Host[]): Promise<void> {
  for (const host of both) if (!writers.includes(host)) await host.setReadOnly(true);
  for (const host of writers) await host.setReadOnly(false);
}

function connect(options: Partial<DatabaseOptions> = {}, hosts = both): Database {
  const names = hosts.map(({ port }) => `127.0.0.1:${port}`);
  const db = connectDatabase({ url: `mysql://${LOGIN}@${names.join()}/messages`, ...options });
  onTestFinished(() => db.destroy());
  return db;
}

async function portOf(db: Database): Promise<number> {
  const { rows } = await sql<{ port: number }>`SELECT @@port AS port`.execute(db);
  return rows[0]!.port;
}

async function marksOf({ admin }: Host): Promise<number[]> {
  return (await sql<{ id: number }>`SELECT id FROM marks ORDER BY id`.execute(admin)).rows.map(({ id }) => id);
}

/** Those of our processes to a host. */
async function connectionsTo({ admin }: Host): Promise<number> {
  const { rows } = await sql`SELECT 1 FROM information_schema.PROCESSLIST WHERE USER = 'app'`.execute(admin);
  return rows.length;
}

async function killConnectionsTo({ admin }: Host): Promise<void> {
  const ids = sql<{ id: number }>`SELECT ID AS id FROM information_schema.PROCESSLIST WHERE USER = 'app'`;
  for (const { id } of (await ids.execute(admin)).rows) await sql`KILL ${sql.lit(id)}`.execute(admin).catch(() => {});
}

async function freeze({ server: { pid } }: Host): Promise<() => void> {
  const thaw = () => void process.kill(pid, 'SIGCONT');
  process.kill(pid, 'SIGSTOP');
  onTestFinished(thaw);
  await expect.poll(() => execFileSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' })).toMatch(/^T/);
  return thaw;
}

async function took(act: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await act();
  return performance.now() - from;
}

const message = (db: Database) =>
  portOf(db).then(
    () => 'no error',
    (error: Error) => error.message,
  );

describe('of several hosts', () => {
  test('the one that takes writes is used, whichever it is', async () => {
    expect(await portOf(connect())).toBe(first.port);
    await takesWrites(second);
    expect(await portOf(connect())).toBe(second.port);
    expect(await portOf(connect({}, [second, first]))).toBe(second.port);
  });

  test('it is used also while another is frozen, or not there at all', async () => {
    const missing = { ...first, port: await freePort() };
    expect(await portOf(connect({}, [missing, second, first]))).toBe(first.port);
    await freeze(second);
    expect(await took(() => portOf(connect({}, [second, first])))).toBeLessThan(900);
  });

  test('an error says what each answered', async () => {
    await takesWrites();
    const missing = { ...first, port: await freePort() };
    const unavailable = connect({ retryMs: 300, connectTimeoutMs: 200 }, [first, second, missing]);
    expect(await message(unavailable)).toBe(
      `NO_WRITER: no host takes writes: 127.0.0.1:${first.port} is read-only; 127.0.0.1:${second.port} is read-only; ` +
        `127.0.0.1:${missing.port} failed: connect ECONNREFUSED 127.0.0.1:${missing.port}`,
    );
    await expect(portOf(unavailable)).rejects.toMatchObject({ fault: 'unavailable' });
  });

  test('two that take writes are refused, for their events would differ', async () => {
    await takesWrites(first, second);
    expect(await message(connect({ retryMs: 300, connectTimeoutMs: 250 }))).toMatch(
      /127\.0\.0\.1:\d+ and 127\.0\.0\.1:\d+ both take writes: set read_only on all but one/,
    );
  });

  test('a login that all refuse is worth no waiting', async () => {
    const names = both.map(({ port }) => `127.0.0.1:${port}`);
    const db = connectDatabase({ url: `mysql://app:wrong@${names.join()}/messages` });
    onTestFinished(() => db.destroy());
    const error = await portOf(db).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ fault: 'permanent', errno: 1045 });
    expect((error as Error).message).toMatch(/check DATABASE_URL\. .*no host takes writes: 127\.0\.0\.1:\d+ failed: /);
    expect((error as Error).message).not.toContain('wrong');
  });
});

describe('when another host takes the writes', () => {
  test('what is under way on the old one ends as unknown, and what comes next goes to the new one', async () => {
    const db = connect({ poolSize: 3 });
    const slow = sql`DO SLEEP(20)`.execute(db);
    const ended = expect(slow).rejects.toMatchObject({ fault: 'unknown', code: 'GIVEN_UP' });
    expect(await portOf(db)).toBe(first.port);
    await takesWrites(second);
    expect(await took(() => ended)).toBeLessThan(2_000);
    expect(await portOf(db)).toBe(second.port);
    await expect.poll(() => connectionsTo(first)).toBeLessThan(2); // the server still sleeps
  });

  test('a new connection to the old one is not used, though the writer has not been asked again', async () => {
    const db = connect();
    const slow = sql`DO SLEEP(1)`.execute(db).catch(() => {});
    await expect.poll(() => connectionsTo(first)).toBe(2);
    await takesWrites(second);
    expect(await portOf(db)).toBe(second.port);
    await slow;
  });

  test('one that says itself that it is read-only may still answer what is under way', async () => {
    const db = connect();
    const slow = sql`DO SLEEP(1)`.execute(db);
    await expect.poll(() => connectionsTo(first)).toBe(2);
    await takesWrites(second);
    expect(await portOf(db)).toBe(second.port);
    await slow;
  });

  test('a write that the old one refuses as read-only is made once, by the new one', async () => {
    const db = connect();
    await sql`INSERT INTO marks VALUES (1)`.execute(db);
    for (let n = 2; n < 10; n++) {
      await takesWrites(n % 2 === 0 ? second : first);
      expect(await took(() => sql`INSERT INTO marks VALUES (${n})`.execute(db))).toBeLessThan(1_500);
    }
    expect(await marksOf(first)).toEqual([1, 3, 5, 7, 9]);
    expect(await marksOf(second)).toEqual([2, 4, 6, 8]);
  });

  test('a write that no host takes fails as unavailable at its deadline, and nothing of it is there', async () => {
    const db = connect({ retryMs: 500 });
    await sql`INSERT INTO marks VALUES (100)`.execute(db);
    await takesWrites();
    await expect(sql`INSERT INTO marks VALUES (101)`.execute(db)).rejects.toMatchObject({ fault: 'unavailable' });
    await takesWrites(first);
    await sql`INSERT INTO marks VALUES (102)`.execute(db);
    expect(await marksOf(first)).toEqual([100, 102]);
  });

  test('a transaction of a handler on the old one is lost', async () => {
    const db = connect();
    expect(await portOf(db)).toBe(first.port);
    const transactions = transactionsFor(db);
    const lost = transactions.run(async ({ db: trx }) => {
      await sql`INSERT INTO marks VALUES (200)`.execute(trx);
      await takesWrites(second);
      await sql`DO SLEEP(20)`.execute(trx);
    });
    await expect(lost).rejects.toMatchObject({ name: 'TransactionLostError' });
    const port = await transactions.run(({ db: trx }) => portOf(trx));
    expect(port).toBe(second.port);
    expect(await marksOf(first)).not.toContain(200);
  });
});

describe('while the writer is frozen', () => {
  /** With idle connections to it. */
  async function connectIdle(options: Partial<DatabaseOptions> = {}): Promise<Database> {
    const db = connect({ poolSize: 4, retryMs: 10_000, ...options });
    await Promise.all(Array.from({ length: 4 }, () => sql`DO SLEEP(0.1)`.execute(db)));
    expect(await connectionsTo(first)).toBe(5);
    return db;
  }

  test('no idle connection to it is used, so that the next writer is waited for and no longer', async () => {
    const db = await connectIdle();
    await freeze(first);
    await sleep(1_700); // until its answer is overdue
    const inserting = sql`INSERT INTO marks VALUES (300)`.execute(db);
    await second.setReadOnly(false);
    expect(await took(() => inserting)).toBeLessThan(2_500);
    expect(await marksOf(second)).toContain(300);
  });

  test('what is under way on it is given up as soon as another is found, without waiting for its time limit', async () => {
    const db = await connectIdle();
    await freeze(first);
    const inserting = sql`INSERT INTO marks VALUES (310)`.execute(db);
    const unknown = expect(inserting).rejects.toMatchObject({ fault: 'unknown', code: 'GIVEN_UP' });
    await second.setReadOnly(false);
    expect(await took(() => unknown)).toBeLessThan(4_500);
  });

  test('a read that is under way on it is sent again, to the one that is found', async () => {
    const db = await connectIdle();
    await freeze(first);
    const reading = portOf(db);
    await second.setReadOnly(false);
    expect(await reading).toBe(second.port);
  });

  test('what is under way on it is not given up while there is no other', async () => {
    const db = await connectIdle();
    const thaw = await freeze(first);
    const inserting = sql`INSERT INTO marks VALUES (320)`.execute(db);
    await sleep(3_000);
    thaw();
    await inserting;
    expect(await portOf(db)).toBe(first.port);
    expect(await marksOf(first)).toContain(320);
  });

  test('an old writer that wakes up is not used again, though it says that it takes writes', async () => {
    const db = await connectIdle();
    const thaw = await freeze(first);
    await second.setReadOnly(false);
    expect(await portOf(db)).toBe(second.port);
    thaw();
    for (const until = performance.now() + 1_500; performance.now() < until; await sleep(50))
      expect(await portOf(db)).toBe(second.port);
  });
});

describe('each connection costs', () => {
  const counters = async ({ admin }: Host) => {
    const { rows } = await sql<{ Variable_name: string; Value: string }>`
      SHOW GLOBAL STATUS WHERE Variable_name IN ('Questions', 'Connections')`.execute(admin);
    return Object.fromEntries(rows.map(({ Variable_name, Value }) => [Variable_name, Number(Value)]));
  };
  const sessionQuestions = async (db: Database) => {
    const { rows } = await sql<{ Value: string }>`SHOW SESSION STATUS LIKE 'Questions'`.execute(db);
    return Number(rows[0]!.Value);
  };

  test('one round trip before its first statement, with one host and with several', async () => {
    expect(await sessionQuestions(connect({}, [first]))).toBe(2);
    const db = connect();
    await portOf(db);
    await takesWrites(second); // by now it knows which question it may ask
    await portOf(db).catch(() => {});
    expect(await sessionQuestions(db)).toBeLessThanOrEqual(4);
  });

  test('a second’s wait for a table at most, with several hosts; with one its time limit as before', async () => {
    const waitOf = async (db: Database) => {
      const { rows } = await sql<{ Value: string }>`SHOW SESSION VARIABLES LIKE 'lock_wait_timeout'`.execute(db);
      return rows[0]!.Value;
    };
    expect([await waitOf(connect()), await waitOf(connect({}, [first]))]).toEqual(['1', '5']);
  });

  test('with one host nothing while it is idle, and no connection of its own', async () => {
    const db = connect({}, [first]);
    await portOf(db);
    const before = await counters(first);
    await sleep(1_500);
    // The question itself is one.
    expect(await counters(first)).toEqual({ ...before, Questions: before['Questions']! + 1 });
    expect(await connectionsTo(first)).toBe(1);
  });

  test('with several one question in half a second, on one connection', async () => {
    const db = connect();
    await portOf(db);
    const before = await counters(first);
    await sleep(2_000);
    const after = await counters(first);
    expect(after['Questions']! - before['Questions']! - 1).toBeGreaterThanOrEqual(2);
    expect(after['Questions']! - before['Questions']! - 1).toBeLessThanOrEqual(4);
    expect(after['Connections']).toBe(before['Connections']);
    expect(await connectionsTo(first)).toBe(2);
  });

  test('a pool that has ended leaves none behind, on any host', async () => {
    const db = connect();
    await transactionsFor(db).run(({ db: trx }) => portOf(trx));
    await portOf(db);
    await db.destroy();
    for (const host of both) await expect.poll(() => connectionsTo(host)).toBe(0);
  });
});
