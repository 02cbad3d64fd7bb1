import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { createEvents } from '../database/events/create.ts';
import { findEvent } from '../database/events/read.ts';
import { readInstallationId } from '../database/installation.ts';
import { loadSchema } from '../database/load-schema.ts';
import { defineHandlers } from '../handlers/define-handlers.ts';
import { createRecordingReport } from '../tests/recording-report.ts';
import { createTestDatabase } from '../tests/test-database.ts';
import { lookAtKeysRound } from './look-at-keys.ts';
import { runConsumer } from './run-consumer.ts';

test('a consumer goes on with a key whose first event a foreign client fills, and tells handlers its installation', async () => {
  await using database = await createTestDatabase();
  const { db } = database;
  await createEvents(db, [
    { key: 'k', delayMs: 3_600_000 },
    { key: 'k', kind: 'email' },
  ]);
  const handlers = defineHandlers({ email: ({ installationId }) => installationId });
  const stop = new AbortController();
  const running = runConsumer({ db, handlers, signal: stop.signal, report: createRecordingReport() });
  await sql`UPDATE Events SET valor = 'rio' WHERE id = 1`.execute(db);
  const valor = JSON.stringify(await readInstallationId(db));
  await expect.poll(() => findEvent(db, 2), { timeout: 20_000 }).toMatchObject({ status: 'filled', valor });
  stop.abort();
  await running;
}, 30_000);

test('a look that fails is reported and made again a second later; a lost database has been reported', async () => {
  await using database = await createTestDatabase();
  const report = createRecordingReport();
  await sql`DROP PROCEDURE look_at_keys`.execute(database.db);
  expect(await lookAtKeysRound({ db: database.db, report })).toBe(1_000);
  expect(report.trouble.mock.calls).toEqual([['could not look at the keys', expect.any(Error)]]);
  await loadSchema(database.db);
  expect(await lookAtKeysRound({ db: database.db, report })).toBeGreaterThan(8_000);
  expect(report.trouble).toHaveBeenCalledTimes(1);
});
