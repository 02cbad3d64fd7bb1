import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { findProgram } from '../start/programs.ts';
import { startOwnServer } from '../tests/own-server.ts';
import { createTestDatabase } from '../tests/test-database.ts';
import type { Database } from './connect.ts';
import { createEvents } from './events/create.ts';
import { countEvents, findEvent } from './events/read.ts';
import { readInstallationId } from './installation.ts';
import { loadSchema } from './load-schema.ts';
import { checkSchemaVersion } from './schema-version.ts';
import { splitStatements } from './sql-script.ts';

test('loading init.sql again keeps the events and leaves everything working', async () => {
  await using database = await createTestDatabase();
  const { db } = database;
  await createEvents(db, [{}, {}]);
  const installationId = await readInstallationId(db);
  await loadSchema(db);
  await loadSchema(db);
  expect(await readInstallationId(db)).toBe(installationId);
  expect(await countEvents(db)).toBe(2);
  expect(await createEvents(db, [{}])).toBe(3);
  expect(await findEvent(db, 1)).toMatchObject({ status: 'pending' });
});

test.each(['init.sql', 'accounts.sql', 'upgrades/1-to-2.sql', 'upgrades/1-to-2-accounts.sql'])(
  '%s means the same with CRLF, as an editor may write it',
  async (file) => {
    const script = await readFile(new URL(file, import.meta.url), 'utf8');
    expect(splitStatements(script.replaceAll('\n', '\r\n'))).toEqual(splitStatements(script));
  },
);

test('each database has an id of its own', async () => {
  await using one = await createTestDatabase();
  await using other = await createTestDatabase();
  expect(await readInstallationId(one.db)).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  expect(await readInstallationId(one.db)).not.toBe(await readInstallationId(other.db));
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

test('init.sql alone makes an empty database what loadSchema makes it, and may be loaded by a client again', async () => {
  await using loaded = await createTestDatabase();
  await using database = await createTestDatabase({ hasSchema: false });
  const client = findProgram('mysql', 'mariadb');
  if (!client) return;
  const columns = `SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE FROM information_schema.COLUMNS
    WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME, ORDINAL_POSITION`;
  for (let time = 1; time <= 2; time++) {
    expect(await loadWithClient(client, database.url)).not.toContain('ERROR');
    expect(await ask(database.db, columns)).toEqual(await ask(loaded.db, columns));
  }
  await checkSchemaVersion(database.db);
});

test('where there are no accounts for producers and consumers, none is made', async () => {
  const connect = await startOwnServer();
  const db = connect();
  await sql`DROP USER 'producer'@'%', 'consumer'@'%'`.execute(db);
  expect(await loadSchema(db)).toEqual({ from: 'this version', hasAccounts: false });
  const { rows } = await sql`SELECT User FROM mysql.user WHERE User IN ('producer', 'consumer')`.execute(db);
  expect(rows).toEqual([]);
});

/** What a statement like `SHOW …` or `SELECT …` answers. */
const ask = async (db: Database, statement: string) => (await sql.raw(statement).execute(db)).rows;

/** As a person loads it. Resolves to what the client complains of. */
async function loadWithClient(program: string, url: string): Promise<string> {
  const { hostname, port, username, password, pathname } = new URL(url);
  const login = ['--no-defaults', `-h${hostname}`, `-P${port}`, `-u${username}`, `-p${password}`, '--protocol=tcp'];
  const client = spawn(program, [...login, pathname.slice(1)], { stdio: ['pipe', 'ignore', 'pipe'] });
  client.stdin.end(await readFile(new URL('init.sql', import.meta.url)));
  return text(client.stderr);
}

describe('a database with tables of the same names that init.sql did not make', () => {
  const DATABASES: [string, string[]][] = [
    ['with DBStatus alone', ['CREATE TABLE DBStatus (id INT)', 'INSERT INTO DBStatus VALUES (7)']],
    ['with Events alone, empty', ['CREATE TABLE Events (id INT, valor VARCHAR(100), processing INT)']],
    ['with keys of their own', ['CREATE TABLE IdempotencyKeys (id INT PRIMARY KEY, response TEXT)']],
    ['with kinds of their own', ['CREATE TABLE Kinds (id INT PRIMARY KEY, label TEXT)']],
    ['with a version of their own', ['CREATE TABLE Installation (version VARCHAR(20) PRIMARY KEY)']],
    [
      'with a column that the course system does not have',
      [
        'CREATE TABLE Events (id INT PRIMARY KEY, valor TEXT, processing INT, title TEXT)',
        'CREATE TABLE DBStatus (id INT)',
        "INSERT INTO Events VALUES (1, 'rio', 0, 'a')",
      ],
    ],
    [
      'with ids that are no numbers',
      ['CREATE TABLE Events (id CHAR(36), valor TEXT, processing INT)', 'CREATE TABLE DBStatus (id INT)'],
    ],
    [
      'with one of another program beside those of the course system',
      [
        'CREATE TABLE IdempotencyKeys (id INT PRIMARY KEY)',
        'CREATE TABLE DBStatus (id INT PRIMARY KEY)',
        'INSERT INTO DBStatus VALUES (2)',
        'CREATE TABLE Events (id INT PRIMARY KEY, valor TEXT, processing INT)',
        "INSERT INTO Events VALUES (1, 'rio', 0), (2, '', 1)",
      ],
    ],
  ];

  test.each(DATABASES)('is refused, %s, and stays as it is', async (_, statements) => {
    await using database = await createTestDatabase({ hasSchema: false });
    const { db, url } = database;
    for (const statement of statements) await sql.raw(statement).execute(db);
    const tables = [...statements.join().matchAll(/CREATE TABLE (\w+)/g)].map(([, name]) => name!);
    const state = async () => {
      const made = [];
      for (const table of tables) {
        made.push(await ask(db, `SHOW CREATE TABLE ${table}`), await ask(db, `SELECT * FROM ${table}`));
      }
      return [await ask(db, 'SHOW TABLES'), await ask(db, 'SHOW TRIGGERS'), made];
    };
    const before = await state();

    for (let time = 1; time <= 2; time++) {
      await expect(loadSchema(db)).rejects.toThrow(
        `The table ${tables[0]} was not made by init.sql, and stays as it is; load this into a database of its own.`,
      );
      expect(await state()).toEqual(before);
    }
    const client = findProgram('mysql', 'mariadb');
    if (!client) return;
    expect(await loadWithClient(client, url)).toMatch(
      /The table \w+ is not of this version, and stays as it is; run npm run migrate/,
    );
    expect(await state()).toEqual(before);
  });
});

const TABLES = [
  'DBStatus',
  'Events',
  'Kinds',
  'EventPayloads',
  'EventKeys',
  'IdempotencyKeys',
  'Installation',
  'Outbox',
  'EventLog',
];

test('the row types name the columns that init.sql makes', async () => {
  await using database = await createTestDatabase();
  const source = await readFile(new URL('schema.ts', import.meta.url), 'utf8');
  for (const table of TABLES) {
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
