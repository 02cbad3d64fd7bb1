import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { createTestDatabase } from '../tests/test-database.ts';
import { claimEvents } from './events/claim.ts';
import { createEvents } from './events/create.ts';
import { listDead } from './events/operate.ts';

test('a claim reads about as many rows as it takes, however many are filled or waiting', async () => {
  // One connection, so that the session's counters are those of the claim.
  await using database = await createTestDatabase({ poolSize: 1 });
  const { db } = database;
  await createEvents(
    db,
    Array.from({ length: 10_000 }, () => ({})),
  );
  await sql`UPDATE Events SET valor = 'sim'`.execute(db);
  await createEvents(
    db,
    Array.from({ length: 300 }, () => ({})),
  );
  const limit = 20;

  await sql`FLUSH STATUS`.execute(db);
  expect((await claimEvents(db, { claimedBy: 'a/1', limit, leaseMs: 30_000 })).claims).toHaveLength(limit);
  const { rows } = await sql<{ Variable_name: string; Value: string }>`
    SHOW SESSION STATUS LIKE 'Handler_read_next'`.execute(db);
  expect(Number(rows[0]?.Value)).toBeLessThanOrEqual(2 * limit);
});

test('a list of the dead reads about as many rows as it shows, however many are filled, open or dead', async () => {
  await using database = await createTestDatabase({ poolSize: 1 });
  const { db } = database;
  const some = (count: number) => Array.from({ length: count }, () => ({}));
  await createEvents(db, some(10_000));
  await sql`UPDATE Events SET valor = 'sim'`.execute(db);
  await createEvents(db, some(2_000));
  await sql`UPDATE Events SET due_at = NULL WHERE id > 11000`.execute(db);
  const limit = 20;

  await sql`FLUSH STATUS`.execute(db);
  expect((await listDead(db, { limit, after: 11_500 })).map(({ id }) => id)).toEqual(
    some(limit).map((_, n) => 11_501 + n),
  );
  const { rows } = await sql<{ Value: string }>`
    SHOW SESSION STATUS WHERE Variable_name IN ('Handler_read_next', 'Handler_read_rnd_next')`.execute(db);
  expect(rows.reduce((sum, row) => sum + Number(row.Value), 0)).toBeLessThanOrEqual(2 * limit);
});
