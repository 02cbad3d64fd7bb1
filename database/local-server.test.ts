import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { freePort } from '../tests/free-port.ts';
import { connectDatabase } from './connect.ts';
import { startLocalServer } from './local-server.ts';

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

test('a server that cannot start is reported with the end of its log', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'event-queue-'));
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as { port: number };
  await expect(startLocalServer({ directory, port })).rejects.toThrow(/did not start on port/);
  silent.close();
  await rm(directory, { recursive: true });
});
