import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { createTestDatabase } from '../tests/test-database.ts';
import { loadSchemaAt } from './load-schema-at.ts';

test('an upgrade that copies a large table may take an hour', async () => {
  await using database = await createTestDatabase();
  await sql`CREATE TABLE seen (seconds INT)`.execute(database.db);
  await sql`
    CREATE TRIGGER look BEFORE INSERT ON DBStatus FOR EACH ROW INSERT INTO seen
      VALUES (/*!80000 @@SESSION.max_execution_time / 1000 */ /*M! @@SESSION.max_statement_time */)`.execute(
    database.db,
  );
  await loadSchemaAt(database.url);
  expect((await sql`SELECT seconds FROM seen`.execute(database.db)).rows).toEqual([{ seconds: 3_600 }]);
});
