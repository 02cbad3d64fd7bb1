import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { freePort } from '../start/free-port.ts';
import { startLocalServer } from '../start/mysql/local-server.ts';
import { claimWords } from '../tests/claim-words.ts';
import { copyFreshServer } from '../tests/fresh-server.ts';
import { connectDatabase, type Database } from './connect.ts';
import { loadSchema } from './load-schema.ts';

const EVENTS = 20_000;

test('beside a transaction that stays open, a claim that begins where the last one ended does not step over all that was filled', async () => {
  // A server of its own, for what is counted is counted for the whole server.
  const directory = await mkdtemp(join(tmpdir(), 'event-queue-long-'));
  await copyFreshServer(directory);
  const server = await startLocalServer({ directory, port: await freePort() });
  const [db, reader] = [1, 2].map(() => connectDatabase({ url: server.url(), poolSize: 1 })) as [Database, Database];
  try {
    await loadSchema(db);
    await sql`
      INSERT INTO Events (id, due_at) SELECT position, UTC_TIMESTAMP(3) - INTERVAL 1 HOUR
      FROM JSON_TABLE(CONCAT('[0', REPEAT(',0', ${EVENTS - 1}), ']'), '$[*]' COLUMNS (position FOR ORDINALITY)) AS n
    `.execute(db);
    await sql`SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ`.execute(reader);
    await sql`SET autocommit = 0`.execute(reader);
    await sql`SELECT id FROM DBStatus`.execute(reader);
    await sql`UPDATE Events SET valor = 'sim'`.execute(db);

    let since: string | undefined;
    const all = await pagesReadFor(db, async () => {
      since = (await claimWords(db)).nextSince;
    });
    const some = await pagesReadFor(db, () => claimWords(db, { since }));
    expect(some).toBeLessThan(all / 3);
  } finally {
    await Promise.all([db.destroy(), reader.destroy()]);
    await server.stop();
    await rm(directory, { recursive: true });
  }
});

/** How many pages InnoDB looked into meanwhile. */
async function pagesReadFor(db: Database, work: () => Promise<unknown>): Promise<number> {
  const count = async () => {
    const { rows } = await sql<{ Value: string }>`
      SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_read_requests'`.execute(db);
    return Number(rows[0]!.Value);
  };
  const before = await count();
  await work();
  return (await count()) - before;
}
