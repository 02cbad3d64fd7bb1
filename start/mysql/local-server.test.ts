import { once } from 'node:events';
import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { sql } from 'kysely';
import { expect, onTestFinished, test, vi } from 'vitest';
import { connectDatabase } from '../../database/connect.ts';
import { createTestDatabase } from '../../tests/test-database.ts';
import { freePort } from '../free-port.ts';
import { startLocalServer } from './local-server.ts';
import { findServerProgram } from './server-program.ts';

test('a private server starts in a folder with a space in its name, keeps its data, and syncs its commits', async () => {
  const directory = join(await mkdtemp(join(tmpdir(), 'event-queue-')), 'my data');
  const options = { directory, port: await freePort() };
  const server = await startLocalServer(options);
  const db = connectDatabase({ url: server.url() });
  await sql`CREATE TABLE kept (id INT)`.execute(db);
  const { rows } = await sql<{ flush: number; sync: number }>`
    SELECT @@innodb_flush_log_at_trx_commit AS flush, @@sync_binlog AS sync`.execute(db);
  expect(rows).toEqual([{ flush: 1, sync: 1 }]);
  await expect(startLocalServer(options)).rejects.toThrow(`port ${options.port} is in use`);
  await db.destroy();
  await server.stop();

  const again = await startLocalServer(options);
  const afterwards = connectDatabase({ url: again.url() });
  expect((await sql`SELECT id FROM kept`.execute(afterwards)).rows).toEqual([]);
  await afterwards.destroy();
  await again.stop();
  await rm(join(directory, '..'), { recursive: true });
});

test('what a private server does at each of its starts is in no binary log, where it would be a transaction of its own', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'event-queue-'));
  const { product } = await findServerProgram();
  const gtids = product === 'MySQL' ? ['--gtid-mode=ON', '--enforce-gtid-consistency=ON'] : [];
  const options = { directory, port: await freePort(), args: ['--log-bin=binlog', '--server-id=1', ...gtids] };
  for (let start = 0; start < 2; start++) {
    const server = await startLocalServer(options);
    const db = connectDatabase({ url: server.url() });
    const executed = sql.raw(`SELECT @@GLOBAL.${product === 'MySQL' ? 'gtid_executed' : 'gtid_binlog_pos'} AS ids`);
    expect((await executed.execute(db)).rows).toEqual([{ ids: '' }]);
    const { rows } = await sql`SELECT COUNT(*) AS n FROM mysql.user WHERE User IN ('producer', 'consumer')`.execute(db);
    expect(rows).toEqual([{ n: 2 }]);
    await db.destroy();
    await server.stop();
  }
  await rm(directory, { recursive: true });
});

test('a private server leaves the temporary tables of others alone', async () => {
  // A server that starts removes what looks like a temporary table in the folder for those.
  const common = await mkdtemp(join(tmpdir(), 'event-queue-'));
  vi.stubEnv('TMPDIR', common);
  onTestFinished(() => void vi.unstubAllEnvs());
  await writeFile(join(common, '#sql-temptable-1-2-3.MAI'), 'of another server');
  const server = await startLocalServer({ directory: join(common, 'private'), port: await freePort() });
  await server.stop();
  expect(await readdir(common)).toEqual(['#sql-temptable-1-2-3.MAI', 'private']);
  await rm(common, { recursive: true });
});

test('a private server hands out no files of the machine', async () => {
  const path = join(await mkdtemp(join(tmpdir(), 'event-queue-')), 'secret');
  await writeFile(path, 'geheim', { mode: 0o644 });
  await chmod(dirname(path), 0o755);
  await using database = await createTestDatabase();
  const { rows } = await sql<{ content: string | null }>`SELECT LOAD_FILE(${path}) AS content`.execute(database.db);
  expect(rows).toEqual([{ content: null }]);
  await expect(sql`SELECT 1 INTO OUTFILE ${sql.lit(`${path}.out`)}`.execute(database.db)).rejects.toMatchObject({
    code: 'ER_OPTION_PREVENTS_STATEMENT',
  });
  await rm(dirname(path), { recursive: true });
});

test('a server that cannot start is reported with the end of its log', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'event-queue-'));
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as { port: number };
  await expect(startLocalServer({ directory, port })).rejects.toThrow(/did not start on port/);
  silent.close();
  await rm(directory, { recursive: true });
});
