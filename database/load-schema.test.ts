import { readFile } from 'node:fs/promises';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { createTestDatabase } from '../tests/test-database.ts';
import { createEvents } from './events/create.ts';
import { countEvents, findEvent } from './events/read.ts';
import { loadSchema, splitStatements } from './load-schema.ts';

test('loading init.sql again keeps the events and leaves everything working', async () => {
  await using database = await createTestDatabase();
  const { db } = database;
  await createEvents(db, [{}, {}]);
  await loadSchema(db);
  await loadSchema(db);
  expect(await countEvents(db)).toBe(2);
  expect(await createEvents(db, [{}])).toBe(3);
  expect(await findEvent(db, 1)).toMatchObject({ status: 'pending' });
});

test.each(['init.sql', 'accounts.sql'])('%s means the same with CRLF, as an editor may write it', async (file) => {
  const script = await readFile(new URL(file, import.meta.url), 'utf8');
  expect(splitStatements(script.replaceAll('\n', '\r\n'))).toEqual(splitStatements(script));
});

test('the counter of a database that held events already begins at the newest', async () => {
  await using database = await createTestDatabase();
  const { db } = database;
  await createEvents(db, [{}, {}]);
  await sql`DELETE FROM DBStatus`.execute(db);
  await loadSchema(db);
  expect(await countEvents(db)).toBe(2);
});

test('DBStatus never has a second row, and its first column is the id', async () => {
  await using database = await createTestDatabase();
  const { db } = database;
  await expect(sql`INSERT INTO DBStatus (id, singleton) VALUES (5, 2)`.execute(db)).rejects.toThrow(/one_row/);
  await expect(sql`INSERT INTO DBStatus (id) VALUES (5)`.execute(db)).rejects.toThrow(/PRIMARY|1/);
  const { rows } = await sql<Record<string, unknown>>`SELECT * FROM DBStatus`.execute(db);
  expect(rows.map((row) => Object.keys(row)[0])).toEqual(['id']);
});

test('the row types name the columns that init.sql makes', async () => {
  await using database = await createTestDatabase();
  const source = await readFile(new URL('schema.ts', import.meta.url), 'utf8');
  for (const table of ['DBStatus', 'Events']) {
    const body = new RegExp(`interface ${table}Table \\{([^}]*)\\}`).exec(source)?.[1] ?? '';
    const typed = [...body.matchAll(/^\s*(\w+):/gm)].map(([, name]) => name);
    const { rows } = await sql<{ name: string }>`
      SELECT COLUMN_NAME AS name FROM information_schema.COLUMNS
      WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ${table} ORDER BY ORDINAL_POSITION`.execute(database.db);
    expect(typed).toEqual(rows.map(({ name }) => name));
  }
});

test('a script is split as the mysql client splits it', () => {
  const script = `-- a comment; with a semicolon
SELECT 1;
CREATE TABLE t (
  id INT, -- why; not
  n INT
);
DELIMITER //
CREATE PROCEDURE p() BEGIN
  SELECT 1;
  SELECT 2;
END //
DELIMITER ;
SELECT 3;`;
  expect(splitStatements(script)).toEqual([
    'SELECT 1',
    'CREATE TABLE t (\n  id INT,\n  n INT\n)',
    'CREATE PROCEDURE p() BEGIN\n  SELECT 1;\n  SELECT 2;\nEND',
    'SELECT 3',
  ]);
});
