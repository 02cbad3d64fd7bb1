import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { createTestDatabase } from '../../tests/test-database.ts';
import { createEvents } from '../events/create.ts';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));

/** `npm run migrate -- …`, in a process of its own. */
async function migrate(url: string, ...args: string[]) {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: import.meta.dirname,
    env: { ...process.env, DATABASE_URL: url },
  });
  const output = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => void (output.out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (output.err += text));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...output };
}

test('makes tables in an empty database, and says that they are there when it is repeated', async () => {
  await using database = await createTestDatabase({ hasSchema: false });
  expect(await migrate(database.url)).toEqual({ code: 0, out: 'The tables of version 2 are made.\n', err: '' });
  expect(await createEvents(database.db, [{}])).toBe(1);
  const again = 'The tables were of version 2 already; the routines are made anew.\n';
  expect(await migrate(database.url)).toEqual({ code: 0, out: again, err: '' });
});

test('adopts the tables of a course system', async () => {
  await using database = await createTestDatabase({ hasSchema: false });
  const { db, url } = database;
  await sql`CREATE TABLE DBStatus (id INT)`.execute(db);
  await sql`CREATE TABLE Events (id INT, valor TEXT, processing INT)`.execute(db);
  await sql`INSERT INTO Events VALUES (1, 'rio', 0), (2, '', 0)`.execute(db);
  const out = 'The database had the tables of a course system; it has version 2 now, with all its events.\n';
  expect(await migrate(url)).toEqual({ code: 0, out, err: '' });
  expect(await createEvents(db, [{}])).toBe(3);
});

test('refuses tables of a later version and of another program with one sentence', async () => {
  await using database = await createTestDatabase();
  const { db, url } = database;
  await sql`UPDATE Installation SET version = 3`.execute(db);
  const newer = 'The database has version 3 of the tables, and this program needs version 2; update the program.';
  expect(await migrate(url)).toEqual({ code: 1, out: '', err: `migrate: ${newer}\n` });
  await sql`DROP TABLE Installation`.execute(db);
  await sql`CREATE TABLE Installation (version VARCHAR(20))`.execute(db);
  const { code, err } = await migrate(url);
  expect({ code, err }).toMatchObject({
    code: 1,
    err: expect.stringMatching(/^migrate: The table Installation .*\n$/),
  });
});

test('an account that may not make tables is told so', async () => {
  await using database = await createTestDatabase();
  const { code, err } = await migrate(database.url.replace('//user:', '//producer:'));
  expect(code).toBe(1);
  expect(err).toMatch(/^migrate: .*denied.*\n$/);
});

test('--help says what it does and where the database is named; any other option is refused', async () => {
  expect(await migrate('mysql://nobody@127.0.0.1:1/none', '--help')).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^Usage: npm run migrate\n[\s\S]*DATABASE_URL/),
  });
  expect(await migrate('mysql://nobody@127.0.0.1:1/none', '--force')).toMatchObject({
    code: 1,
    err: expect.stringContaining('unknown option --force'),
  });
});
