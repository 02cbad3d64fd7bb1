import { sql } from 'kysely';
import { expect, onTestFinished, test } from 'vitest';
import { useTestDatabase } from '../tests/test-database.ts';
import { checkServer, checkSkipLocked } from './check-server.ts';

const database = await useTestDatabase();
const { db } = database;

/** A variable of the server as another value, until the test is over. */
async function setGlobal(name: string, value: number): Promise<void> {
  const { rows } = await sql<{ Value: string }>`SHOW GLOBAL VARIABLES LIKE ${name}`.execute(db);
  await sql`SET GLOBAL ${sql.raw(name)} = ${value}`.execute(db);
  onTestFinished(async () => {
    await sql`SET GLOBAL ${sql.raw(name)} = ${Number(rows[0]!.Value)}`.execute(db);
  });
}

test('the private server is named, isolates as we need it, and syncs its logs', async () => {
  expect(await checkServer(db)).toEqual({
    summary: expect.stringMatching(/^database \d+\.\d+\S*, READ-COMMITTED$/),
    warnings: [],
  });
});

test('a server that does not sync its logs is warned of', async () => {
  await setGlobal('innodb_flush_log_at_trx_commit', 2);
  const { warnings } = await checkServer(db);
  expect(warnings).toEqual([expect.stringContaining('innodb_flush_log_at_trx_commit')]);
});

test('a server whose SKIP LOCKED takes locks is accepted, by several consumers at once too', async () => {
  await checkSkipLocked(db);
  await Promise.all(Array.from({ length: 5 }, () => checkSkipLocked(database.connect())));
});

/** TiDB's own behaviour, played by a routine that reads without a lock; `shift` is what each connection's clock adds. */
async function takeNoLocks(shift: string) {
  await sql`DROP PROCEDURE try_lock`.execute(db);
  await sql`
    CREATE PROCEDURE try_lock(IN hold_ms INT UNSIGNED)
    BEGIN
      DECLARE since DOUBLE DEFAULT UNIX_TIMESTAMP(SYSDATE(6)) + ${sql.raw(shift)};
      DO SLEEP(hold_ms / 1000);
      SELECT COUNT(*) AS locked, since, since + hold_ms / 1000 AS until FROM DBStatus;
    END`.execute(db);
}

test('a server whose SKIP LOCKED takes no locks is refused', async () => {
  await takeNoLocks('0');
  await expect(checkSkipLocked(db)).rejects.toThrow('SKIP LOCKED takes no locks');
});

test('two locks that were not held at the same time show nothing', async () => {
  await takeNoLocks('CONNECTION_ID() * 10');
  await expect(checkSkipLocked(db)).rejects.toThrow('never ran at once');
});
