import { sql } from 'kysely';
import { createConnection } from 'mysql2/promise';
import { expect, onTestFinished, test } from 'vitest';
import { createRecordingReport } from '../tests/recording-report.ts';
import { useTestDatabase } from '../tests/test-database.ts';
import { moveOutboxRound } from './move-outbox.ts';

const database = await useTestDatabase();
const { db } = database;
const report = createRecordingReport();
const deps = { db, report, pollMs: 100 };

test('an outbox that is not used is looked at once a second, and one that is with each poll', async () => {
  const use = { usedAt: -Infinity };
  expect(await moveOutboxRound(deps, use)).toBeGreaterThanOrEqual(900);
  await sql`INSERT INTO Outbox (event) VALUES ('{}')`.execute(db);
  expect(await moveOutboxRound(deps, use)).toBeLessThanOrEqual(110);
  expect(await moveOutboxRound(deps, use)).toBeLessThanOrEqual(110);
  use.usedAt -= 60_000;
  expect(await moveOutboxRound(deps, use)).toBeGreaterThanOrEqual(900);
});

test('rows that somebody keeps locked are not asked for again and again', async () => {
  await sql`INSERT INTO Outbox (event) VALUES ('{}')`.execute(db);
  const stranger = await createConnection(database.url);
  onTestFinished(() => stranger.destroy());
  await stranger.query('START TRANSACTION');
  await stranger.query('SELECT id FROM Outbox FOR UPDATE');
  expect(await moveOutboxRound(deps)).toBeGreaterThan(0);
  await stranger.query('ROLLBACK');
});

test('what is put aside is said once, and a look that fails is made again a second later', async () => {
  await sql`INSERT INTO Outbox (event) VALUES ('[]')`.execute(db);
  await moveOutboxRound(deps);
  await moveOutboxRound(deps);
  expect(report.warn.mock.calls).toEqual([[expect.stringMatching(/^row \d+ of the outbox is put aside.*JSON object/)]]);
  await sql`RENAME TABLE Outbox TO Elsewhere`.execute(db);
  expect(await moveOutboxRound(deps)).toBe(1_000);
  expect(report.trouble).toHaveBeenCalledOnce();
  await sql`RENAME TABLE Elsewhere TO Outbox`.execute(db);
});
