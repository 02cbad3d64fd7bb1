import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { findProgram } from '../start/programs.ts';
import { createTestDatabase } from '../tests/test-database.ts';
import type { Database } from './connect.ts';
import { claimEvents } from './events/claim.ts';
import { createEvents } from './events/create.ts';
import { showEvent } from './events/operate.ts';
import { countEvents, findEvent } from './events/read.ts';
import { fillEvents, releaseEvents } from './events/settle.ts';
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

/** What a statement like `SHOW …` or `SELECT …` answers. */
const ask = async (db: Database, statement: string) => (await sql.raw(statement).execute(db)).rows;

describe('a table of an earlier init.sql', () => {
  test('is brought up to date, with what it holds, and is then like a fresh one', async () => {
    await using database = await createTestDatabase();
    const { db } = database;
    const fresh = await ask(db, 'SHOW CREATE TABLE Events');
    await sql`DROP TRIGGER keep_filled_and_lease`.execute(db);
    await sql`ALTER TABLE Events MODIFY claimed_by VARCHAR(64) NULL`.execute(db);
    await sql`
      INSERT INTO Events (id, valor, processing, claimed_by, attempts, due_at, last_error) VALUES
        (1, NULL, 0, NULL, 0, NOW(3), NULL), (2, NULL, 1, 'a.1.abcdef/1', 1, NOW(3), NULL),
        (3, 'rio', 0, 'a.1.abcdef/2', 1, NOW(3), NULL), (4, 'mar', 0, NULL, 1, NULL, NULL)`.execute(db);
    await sql`
      INSERT INTO Events (id, attempts, due_at, last_error)
      SELECT 4 + position, 5, NULL, 'sem palavra'
      FROM JSON_TABLE(CONCAT('[0', REPEAT(',0', 2499), ']'), '$[*]' COLUMNS (position FOR ORDINALITY)) AS n`.execute(
      db,
    );
    const columns = 'id, valor, attempts, due_at, created_at, filled_at, last_error, open';
    const before = await ask(db, `SELECT ${columns} FROM Events ORDER BY id`);

    for (let time = 1; time <= 2; time++) {
      await loadSchema(db);
      expect(await ask(db, 'SHOW CREATE TABLE Events')).toEqual(fresh);
      expect(await ask(db, `SELECT ${columns} FROM Events ORDER BY id`)).toEqual(before);
      const states = 'SELECT processing, claimed_by, COUNT(*) AS n FROM Events GROUP BY processing, claimed_by';
      expect(await ask(db, `${states} ORDER BY processing, claimed_by`)).toEqual([
        { processing: 0, claimed_by: null, n: 2 },
        { processing: 0, claimed_by: 'a.1.abcdef/2', n: 1 },
        { processing: 1, claimed_by: 'a.1.abcdef/1', n: 1 },
        { processing: 2, claimed_by: null, n: 2500 },
      ]);
    }
  });

  test('whose rows were claimed by nobody is claimed from, filled and given back', async () => {
    await using database = await createTestDatabase();
    const { db } = database;
    await sql`INSERT INTO Events (id, claimed_by) VALUES (1, NULL), (2, NULL)`.execute(db);
    const { claims } = await claimEvents(db, { claimedBy: 'a/1', limit: 2, leaseMs: 30_000 });
    expect(claims).toHaveLength(2);
    await fillEvents(db, { claimedBy: 'a/1', fills: [{ ...claims[0]!, valor: 'rio' }] });
    await releaseEvents(db, { claimedBy: 'a/1', claims: [claims[1]!] });
    expect(await findEvent(db, 1)).toMatchObject({ status: 'filled' });
    expect(await showEvent(db, 2)).toMatchObject({ status: 'pending', claimedBy: null });
  });
});

describe('a database with tables of the same names that init.sql did not make', () => {
  const DATABASES: [string, string[]][] = [
    [
      'of the course system',
      [
        'CREATE TABLE DBStatus (id INT NOT NULL PRIMARY KEY)',
        'INSERT INTO DBStatus VALUES (2)',
        'CREATE TABLE Events (id INT NOT NULL PRIMARY KEY, valor VARCHAR(255), processing BOOLEAN NOT NULL DEFAULT 0)',
        "INSERT INTO Events VALUES (1, 'rio', 0), (2, NULL, 0)",
      ],
    ],
    [
      'without a key on DBStatus, and with ids that count themselves',
      [
        'CREATE TABLE DBStatus (id BIGINT)',
        'INSERT INTO DBStatus VALUES (2)',
        'CREATE TABLE Events (id BIGINT AUTO_INCREMENT PRIMARY KEY, valor TEXT, processing TINYINT(1))',
        "INSERT INTO Events (valor, processing) VALUES ('rio', 0), ('', 1)",
      ],
    ],
    ['with DBStatus alone', ['CREATE TABLE DBStatus (id INT)', 'INSERT INTO DBStatus VALUES (7)']],
    ['with Events alone, empty', ['CREATE TABLE Events (id INT, valor VARCHAR(100), processing INT)']],
    ['with keys of their own', ['CREATE TABLE IdempotencyKeys (id INT PRIMARY KEY, response TEXT)']],
  ];

  /** As a person loads it. Resolves to what the client complains of. */
  async function loadWithClient(program: string, url: string): Promise<string> {
    const { hostname, port, username, password, pathname } = new URL(url);
    const login = ['--no-defaults', `-h${hostname}`, `-P${port}`, `-u${username}`, `-p${password}`, '--protocol=tcp'];
    const client = spawn(program, [...login, pathname.slice(1)], { stdio: ['pipe', 'ignore', 'pipe'] });
    client.stdin.end(await readFile(new URL('init.sql', import.meta.url)));
    return text(client.stderr);
  }

  test.each(DATABASES)('is refused, %s, and stays as it is', async (_, statements) => {
    await using database = await createTestDatabase();
    const { db, url } = database;
    await sql`DROP TABLE DBStatus, Events, IdempotencyKeys`.execute(db);
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
    expect(await loadWithClient(client, url)).toContain(`The table ${tables[0]} was not made by init.sql`);
    expect(await state()).toEqual(before);
  });
});

test('the row types name the columns that init.sql makes', async () => {
  await using database = await createTestDatabase();
  const source = await readFile(new URL('schema.ts', import.meta.url), 'utf8');
  for (const table of ['DBStatus', 'Events', 'IdempotencyKeys']) {
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
