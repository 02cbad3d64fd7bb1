import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { connectDatabase } from '../database/connect.ts';
import { createEvents } from '../database/events/create.ts';
import { countEvents } from '../database/events/read.ts';
import { fillEvents } from '../database/events/settle.ts';
import { loadSchema } from '../database/load-schema.ts';
import { freePort } from '../start/free-port.ts';
import { startLocalServer } from '../start/mysql/local-server.ts';
import { claimWords } from './claim-words.ts';
import { copyFreshServer } from './fresh-server.ts';

test('what was acknowledged survives a SIGKILL of mysqld, and the same pool goes on when it is back', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'event-queue-crash-'));
  const options = { directory, port: await freePort() };
  await copyFreshServer(directory);
  let server = await startLocalServer(options);
  const said: boolean[] = [];
  const db = connectDatabase({
    url: server.url(),
    retryMs: 30_000,
    onAvailability: (available) => said.push(available),
  });
  try {
    await loadSchema(db);
    const acknowledged = new Set<number>();
    const filled = new Map<number, string>();
    let unknown = 0;
    for (let crash = 1; crash <= 3; crash++) {
      const target = acknowledged.size + 200;
      let isBack = false;
      // Each lane creates and fills while the server dies under it and comes back; what has no answer is not done.
      const lanes = Array.from({ length: 8 }, async (_, lane) => {
        for (let n = 0; !isBack; n++) {
          const created = await createEvents(db, [{}]).catch(() => void unknown++);
          if (created) acknowledged.add(created);
          const claimedBy = `${crash}-${lane}/${n}`;
          const [claim] = await claimWords(db, { claimedBy, limit: 1 }).then(
            ({ claims }) => claims,
            () => [],
          );
          if (!claim) continue;
          const valor = `palavra-${claim.id}-${claim.attempt}`;
          const fill = await fillEvents(db, { claimedBy, claims: [{ ...claim, valor }] }).catch(() => undefined);
          if (fill?.written.length) filled.set(claim.id, valor);
        }
      });
      await expect.poll(() => acknowledged.size, { timeout: 30_000 }).toBeGreaterThan(target);
      process.kill(server.pid, 'SIGKILL');
      await server.ended;
      server = await startLocalServer(options);
      isBack = true;
      await Promise.all(lanes);
    }

    const { rows } = await sql<{ id: number; valor: string | null }>`SELECT id, valor FROM Events`.execute(db);
    const valorOf = new Map(rows.map(({ id, valor }) => [id, valor]));
    expect([...acknowledged].filter((id) => !valorOf.has(id))).toEqual([]);
    expect([...filled].filter(([id, valor]) => valorOf.get(id) !== valor)).toEqual([]);
    expect(await countEvents(db)).toBe(rows.length);
    expect(rows.length).toBeGreaterThanOrEqual(acknowledged.size);
    expect(rows.length).toBeLessThanOrEqual(acknowledged.size + unknown);
    // Not for each failed try; and crashes that follow each other within seconds may be one.
    expect([1, 2, 3]).toContain(said.filter((available) => !available).length);
    expect(said).toEqual(said.map((_, index) => index % 2 === 1));
  } finally {
    await db.destroy();
    await server.stop();
    await rm(directory, { recursive: true });
  }
});

test('a create that a server commits while it shuts down is not made again', async ({ skip }) => {
  const directory = await mkdtemp(join(tmpdir(), 'event-queue-shutdown-'));
  const options = { directory, port: await freePort() };
  await copyFreshServer(directory);
  let server = await startLocalServer(options);
  const db = connectDatabase({ url: server.url(), retryMs: 30_000 });
  try {
    await loadSchema(db);
    // Only MySQL has a setting that makes a commit take so long, and answers a session that it ends.
    const { rows } = await sql`SHOW VARIABLES LIKE 'binlog_group_commit_sync_delay'`.execute(db);
    if (rows.length === 0) skip();
    await sql`SET GLOBAL binlog_group_commit_sync_delay = 1000000`.execute(db);
    const creating = createEvents(db, [{}, {}]);
    const outcome = creating.catch((error: unknown) => error);
    await expect
      .poll(() => sql`SELECT 1 FROM information_schema.PROCESSLIST WHERE INFO = 'COMMIT'`.execute(db))
      .toMatchObject({ rows: [expect.anything()] });
    await server.stop();
    server = await startLocalServer(options);
    expect(await outcome).toMatchObject({ fault: 'unknown' });
    expect(await countEvents(db)).toBe(2);
  } finally {
    await db.destroy();
    await server.stop();
    await rm(directory, { recursive: true });
  }
});
