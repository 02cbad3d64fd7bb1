import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { inspect } from 'node:util';
import { sql } from 'kysely';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { freePort } from '../start/free-port.ts';
import { startDatabaseLink } from '../tests/database-link.ts';
import { connectForeignClient } from '../tests/foreign-client.ts';
import { createTestDatabase } from '../tests/test-database.ts';
import { connectDatabase, type Database, type DatabaseOptions } from './connect.ts';
import { createEvents } from './events/create.ts';
import { countEvents } from './events/read.ts';

function connectThrough(url: string, options: Partial<DatabaseOptions> = {}): Database {
  const db = connectDatabase({ url, ...options });
  onTestFinished(() => db.destroy());
  return db;
}

const nameOf = (url: string) => new URL(url).pathname.slice(1);

describe('every connection', () => {
  test.each([
    [100, '1'],
    [2_500, '1'],
    [6_000, '3'],
    [60_000, '5'],
  ])('with a time limit of %i ms waits for locks on the server for %s s', async (statementTimeoutMs, seconds) => {
    await using database = await createTestDatabase();
    const { rows } = await sql<{ Value: string }>`
      SHOW SESSION VARIABLES WHERE Variable_name IN ('lock_wait_timeout', 'innodb_lock_wait_timeout')`.execute(
      database.connect({ statementTimeoutMs, retryMs: 10_000 }),
    );
    expect(rows.map(({ Value }) => Value)).toEqual([seconds, seconds]);
  });

  test('refuses a transaction that would stay open between two round trips', async () => {
    await using database = await createTestDatabase();
    await expect(database.db.transaction().execute(async () => 1)).rejects.toThrow(/init\.sql/);
  });
});

describe('a connection is not used again', () => {
  const connectionOf = async (db: Database) => {
    const { rows } = await sql<{ id: number }>`SELECT CONNECTION_ID() AS id`.execute(db);
    return rows[0]!.id;
  };

  test('after an error, for the server does not say whether it left a transaction open', async () => {
    await using database = await createTestDatabase({ poolSize: 1 });
    const { db } = database;
    for (const wrong of ['SELECT nothing', 'INSERT INTO DBStatus (id) VALUES (1)', 'CALL create_events()']) {
      const before = await connectionOf(db);
      await expect(sql.raw(wrong).execute(db)).rejects.toThrow('ER_');
      expect(await connectionOf(db)).not.toBe(before);
    }
  });

  test('after a statement that was interrupted in its transaction, which is rolled back', async () => {
    await using database = await createTestDatabase({ poolSize: 1 });
    const { db } = database;
    const other = database.connect();
    await createEvents(other, [{}]);
    const holder = await connectForeignClient(database.url);
    await holder.query('SET autocommit = 0');
    await holder.query('SELECT id FROM Events FOR UPDATE');
    await sql`
      CREATE PROCEDURE hang() BEGIN
        DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
        START TRANSACTION;
        UPDATE DBStatus SET id = 7;
        UPDATE Events SET processing = 1;
        COMMIT;
      END`.execute(other);
    const before = await connectionOf(db);
    const interrupted = expect(sql`CALL hang()`.execute(db)).rejects.toMatchObject({ errno: 1317, fault: 'unknown' });
    const waits = sql`SELECT 1 FROM information_schema.PROCESSLIST WHERE ID = ${before} AND INFO LIKE 'UPDATE Events%'`;
    await expect.poll(async () => (await waits.execute(other)).rows.length).toBe(1);
    await sql`KILL QUERY ${sql.lit(before)}`.execute(other);
    await interrupted;
    expect(await connectionOf(db)).not.toBe(before);
    await holder.query('ROLLBACK');
    expect(await createEvents(other, [{}])).toBe(2);
  });

  test('after a statement that leaves a transaction open, which is not taken for done and rolled back', async () => {
    await using database = await createTestDatabase({ poolSize: 1 });
    const { db } = database;
    await sql`SET SESSION autocommit = 0`.execute(db);
    const before = await connectionOf(db);
    await expect(sql`UPDATE DBStatus SET id = 7`.execute(db)).rejects.toMatchObject({
      code: 'TRANSACTION_OPEN',
      fault: 'unknown',
    });
    expect(await connectionOf(db)).not.toBe(before);
    expect(await countEvents(db)).toBe(0);
    await sql`CREATE PROCEDURE half() BEGIN START TRANSACTION; UPDATE DBStatus SET id = 7; SELECT 1; END`.execute(db);
    await expect(sql`CALL half()`.execute(db)).rejects.toMatchObject({ code: 'TRANSACTION_OPEN' });
    expect(await countEvents(db)).toBe(0);
  });
});

test('a URL that the driver cannot read is a fault that no waiting mends', async () => {
  for (const url of ['mysql://user:100%@127.0.0.1:1/x', 'mysql://user:password@127.0.0.1:1/x?ssl=true']) {
    const error = await countEvents(connectThrough(url)).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ fault: 'permanent', message: expect.stringContaining('DATABASE_URL') });
    expect(inspect(error)).not.toMatch(/password|100%/);
  }
});

describe('when contact is lost', () => {
  test('a statement that nobody took is sent again until somebody does, and that is said once', async () => {
    const port = await freePort();
    const said: boolean[] = [];
    const db = connectThrough(`mysql://user:password@127.0.0.1:${port}/mysql`, {
      retryMs: 10_000,
      onAvailability: (available) => said.push(available),
    });
    const counted = sql<{ one: number }>`SELECT 1 AS one`.execute(db);
    await expect.poll(() => said).toEqual([false]);
    const target = new URL(inject('serverUrl'));
    const server = createServer((client) => {
      client.pipe(connect(Number(target.port), target.hostname)).pipe(client);
    }).listen(port, '127.0.0.1');
    onTestFinished(() => void server.close());
    expect((await counted).rows).toEqual([{ one: 1 }]);
    expect(said).toEqual([false, true]);
  });

  test('a statement that finds no server before its deadline fails as unavailable', async () => {
    const db = connectThrough(`mysql://user:password@127.0.0.1:${await freePort()}/x`, { retryMs: 300 });
    await expect(countEvents(db)).rejects.toMatchObject({ name: 'DatabaseError', fault: 'unavailable' });
  });

  test('a server that lets nobody in is unavailable, and not taken for a busy pool', async () => {
    const link = await startDatabaseLink();
    link.greetNobody();
    const db = connectThrough(link.url('messages'), { retryMs: 300, connectTimeoutMs: 10_000 });
    await expect(countEvents(db)).rejects.toMatchObject({ fault: 'unavailable' });
  });

  test('a connection that is ended with its answer is not handed to the next', async () => {
    await using database = await createTestDatabase();
    const link = await startDatabaseLink();
    const db = connectThrough(link.url(nameOf(database.url)), { poolSize: 2 });
    expect(await countEvents(db)).toBe(0);
    link.goodbyeWithNextAnswer();
    expect(await Promise.all([countEvents(db), createEvents(db, [{}])])).toEqual([0, 1]);
  });

  test('a connection that was cut while idle is not used again', async () => {
    await using database = await createTestDatabase();
    const link = await startDatabaseLink();
    const db = connectThrough(link.url(nameOf(database.url)));
    await createEvents(db, [{}]);
    link.cut();
    expect(await countEvents(db)).toBe(1);
    expect(await createEvents(db, [{}])).toBe(2);
  });

  test('a write without an answer ends at its time limit as unknown, and is not sent again', async () => {
    await using database = await createTestDatabase();
    const link = await startDatabaseLink();
    const db = connectThrough(link.url(nameOf(database.url)), { statementTimeoutMs: 300 });
    await createEvents(db, [{}]);
    link.swallow(true);
    await expect(createEvents(db, [{}])).rejects.toMatchObject({ fault: 'unknown', code: 'TIME_LIMIT' });
    link.swallow(false);
    expect(await createEvents(db, [{}])).toBe(2);
  });

  test('a read without an answer is sent again on another connection', async () => {
    await using database = await createTestDatabase();
    const link = await startDatabaseLink();
    const db = connectThrough(link.url(nameOf(database.url)), { statementTimeoutMs: 300, retryMs: 10_000 });
    await createEvents(db, [{}]);
    link.swallow(true);
    const count = countEvents(db);
    setTimeout(() => link.swallow(false), 500);
    expect(await count).toBe(1);
  });
});

test('a process can end though a server that it was connected to does not answer any more', async () => {
  const link = await startDatabaseLink();
  const script = `
    import { sql } from 'kysely';
    import { connectDatabase } from '${new URL('connect.ts', import.meta.url).href}';
    const db = connectDatabase({ url: '${link.url('mysql')}', statementTimeoutMs: 300, retryMs: 1_000 });
    await sql\`SELECT 1\`.execute(db);
    console.log('connected');
    process.stdin.once('data', async () => {
      await sql\`SELECT 1\`.execute(db).catch(() => {});
      await db.destroy();
    });`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  link.swallow(true);
  child.stdin.end('now');
  expect(await once(child, 'exit', { signal: AbortSignal.timeout(20_000) })).toEqual([0, null]);
});

test('an error carries nothing of the statement, which a log would keep', async () => {
  await using database = await createTestDatabase();
  const error: unknown = await sql`SELECT ${'segredo'} FROM Nothing`
    .execute(database.db)
    .catch((cause: unknown) => cause);
  expect(error).toMatchObject({ name: 'DatabaseError', code: 'ER_NO_SUCH_TABLE' });
  expect(inspect(error, { depth: 10, showHidden: true })).not.toContain('segredo');
});

test('a statement that waits for a connection past its deadline fails, and the pool is whole afterwards', async () => {
  await using database = await createTestDatabase();
  const db = database.connect({ poolSize: 1, retryMs: 300 });
  const slow = sql`DO SLEEP(1)`.execute(db);
  await expect(countEvents(db)).rejects.toMatchObject({ fault: 'overloaded' });
  await slow;
  expect(await countEvents(db)).toBe(0);
});

test('a statement takes the connection of another rather than wait for one that takes long to make', async () => {
  await using database = await createTestDatabase();
  const link = await startDatabaseLink();
  const db = connectThrough(link.url(nameOf(database.url)), { retryMs: 1_000, connectTimeoutMs: 10_000 });
  expect(await countEvents(db)).toBe(0);
  link.greetNobody();
  const slow = sql`DO SLEEP(0.2)`.execute(db);
  expect(await countEvents(db)).toBe(0);
  await slow;
});

test('a deadlock is retried and reaches nobody', async () => {
  await using database = await createTestDatabase();
  const { db } = database;
  await createEvents(db, [{}, {}]);
  await sql`CREATE TABLE pairs (id INT PRIMARY KEY, n INT NOT NULL)`.execute(db);
  await sql`INSERT INTO pairs VALUES (1, 0), (2, 0)`.execute(db);
  // Two routines that lock the same two rows in opposite order, with a pause between: they must meet.
  for (const [name, first, second] of [
    ['up', 1, 2],
    ['down', 2, 1],
  ] as const) {
    await sql
      .raw(`CREATE PROCEDURE ${name}() BEGIN
        DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
        START TRANSACTION;
        UPDATE pairs SET n = n + 1 WHERE id = ${first};
        DO SLEEP(0.2);
        UPDATE pairs SET n = n + 1 WHERE id = ${second};
        COMMIT;
      END`)
      .execute(db);
  }
  await Promise.all([sql`CALL up()`.execute(db), sql`CALL down()`.execute(db)]);
  expect((await sql`SELECT id, n FROM pairs ORDER BY id`.execute(db)).rows).toEqual([
    { id: 1, n: 2 },
    { id: 2, n: 2 },
  ]);
});

test('while all connections are in use, a further statement is refused before they are free again', async () => {
  await using database = await createTestDatabase({ poolSize: 1, queueWaitMs: 100 });
  let isOver = false;
  const long = sql`SELECT SLEEP(2)`.execute(database.db).then(() => {
    isOver = true;
  });
  await expect(countEvents(database.db)).rejects.toMatchObject({ fault: 'overloaded' });
  expect(isOver).toBe(false);
  await long;
  expect(await countEvents(database.db)).toBe(0);
});
