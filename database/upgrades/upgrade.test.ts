import { readFile } from 'node:fs/promises';
import { type PluginTransformQueryArgs, type RootOperationNode, sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../tests/test-database.ts';
import { checkDatabase } from '../check-database.ts';
import type { Database } from '../connect.ts';
import { claimEvents } from '../events/claim.ts';
import { createEvents, createEventsOnce } from '../events/create.ts';
import { reviveEvents, showEvent } from '../events/operate.ts';
import { countEvents } from '../events/read.ts';
import { fillEvents } from '../events/settle.ts';
import { readInstallationId } from '../installation.ts';
import { loadSchema } from '../load-schema.ts';
import { runStatements, splitStatements } from '../sql-script.ts';

const endless = new AbortController().signal;

async function ask(db: Database, statement: string): Promise<Record<string, unknown>[]> {
  return (await sql.raw<Record<string, unknown>>(statement).execute(db)).rows;
}

/** All that tells one database from another, but for its rows. */
async function structureOf(db: Database): Promise<unknown> {
  const tables: unknown[] = [];
  for (const statement of [
    `SELECT TABLE_NAME, COLUMN_NAME, ORDINAL_POSITION, COLUMN_DEFAULT, IS_NULLABLE, COLUMN_TYPE, CHARACTER_SET_NAME,
      COLLATION_NAME, COLUMN_KEY, EXTRA, GENERATION_EXPRESSION FROM information_schema.COLUMNS
      WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME, ORDINAL_POSITION`,
    `SELECT TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX, COLUMN_NAME, NON_UNIQUE FROM information_schema.STATISTICS
      WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX`,
    `SELECT CONSTRAINT_NAME, CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS
      WHERE CONSTRAINT_SCHEMA = DATABASE() ORDER BY CONSTRAINT_NAME`,
    `SELECT TABLE_NAME, ENGINE, TABLE_COLLATION FROM information_schema.TABLES
      WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME <> 'DBStatus' ORDER BY TABLE_NAME`,
    `SELECT ROUTINE_NAME, ROUTINE_DEFINITION, SQL_MODE FROM information_schema.ROUTINES
      WHERE ROUTINE_SCHEMA = DATABASE() ORDER BY ROUTINE_NAME`,
    `SELECT TRIGGER_NAME, ACTION_STATEMENT, SQL_MODE FROM information_schema.TRIGGERS
      WHERE TRIGGER_SCHEMA = DATABASE() ORDER BY TRIGGER_NAME`,
  ]) {
    tables.push(await ask(db, statement));
  }
  const [name] = await ask(db, 'SELECT DATABASE() AS name');
  const here = `\`${String(name!.name)}\``;
  const rights = (await ask(db, `SHOW GRANTS FOR 'consumer'@'%'`)).flatMap((row) => Object.values(row).map(String));
  const own = rights.filter((grant) => grant.includes(here)).map((grant) => grant.replaceAll(here, 'here'));
  return [...tables, own.toSorted()];
}

async function freshStructure(): Promise<unknown> {
  await using database = await createTestDatabase();
  return await structureOf(database.db);
}
const fresh = await freshStructure();

/** The two states of version 1, with rows in every state an event can have. */
const VERSION_1 = { 'an early version 1': '1a.sql', 'the last version 1': '1b.sql' };

async function loadVersion1(db: Database, file: string): Promise<void> {
  await runStatements(db, splitStatements(await readFile(new URL(`older/${file}`, import.meta.url), 'utf8')));
  await runStatements(db, [
    `GRANT SELECT ON DBStatus TO 'producer'@'%', 'consumer'@'%'`,
    `GRANT SELECT ON Events TO 'producer'@'%', 'consumer'@'%'`,
    `GRANT EXECUTE ON PROCEDURE claim_events TO 'consumer'@'%'`,
    `GRANT EXECUTE ON PROCEDURE create_events TO 'producer'@'%'`,
    `GRANT UPDATE (valor, processing, claimed_by, attempts, due_at, filled_at, last_error) ON Events TO 'consumer'@'%'`,
    `CALL create_events('[${Array(7).fill('{}').join()}]')`,
    `UPDATE Events SET created_at = '2026-01-02 03:04:05.678'`,
    `UPDATE Events SET processing = 1, claimed_by = '${'x'.repeat(60)}', attempts = 2, last_error = 'once',
      due_at = NOW(3) + INTERVAL 1 HOUR WHERE id = 2`,
    `UPDATE Events SET processing = 1, claimed_by = 'late/1', attempts = 1, due_at = NOW(3) - INTERVAL 1 SECOND WHERE id = 3`,
    `UPDATE Events SET processing = 1, claimed_by = 'a/1', attempts = 1, due_at = '2026-01-03 00:00:00.123' WHERE id = 4`,
    `UPDATE Events SET valor = 'água', processing = 0, filled_at = '2026-01-02 23:59:59.999' WHERE id = 4`,
    `UPDATE Events SET due_at = NOW(3) - INTERVAL 1 SECOND, attempts = 3, last_error = 'sem palavra' WHERE id = 5`,
    `UPDATE Events SET due_at = NULL, processing = 2, attempts = 5, last_error = 'sem palavra' WHERE id = 6`,
    `INSERT INTO IdempotencyKeys (idempotency_key, first_id, how_many, created_at)
      VALUES ('order-17', 7, 1, '2026-01-02 03:04:05.678')`,
  ]);
}

async function expectVersion1Rows(db: Database): Promise<void> {
  const rows = await db.selectFrom('Events').selectAll().orderBy('id').execute();
  expect(rows.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  const created = new Date('2026-01-02T03:04:05.678Z');
  for (const row of rows) expect(row).toMatchObject({ kind: 1, waits: 0, dead_reason: null, created_at: created });
  const [free, held, late, filled, backOff, dead] = rows;
  expect(free).toMatchObject({ processing: 0, claimed_by: '', attempts: 0, failures: 0, open: 1 });
  expect(held).toMatchObject({ processing: 1, claimed_by: 'x'.repeat(48), attempts: 2, failures: 1, due_at: created });
  expect(held!.lease_until.getTime()).toBeGreaterThan(Date.now() + 50 * 60_000);
  expect(late).toMatchObject({ processing: 1, claimed_by: 'late/1', attempts: 1, failures: 0, due_at: created });
  expect(late!.lease_until.getTime()).toBeGreaterThan(created.getTime());
  expect(filled).toMatchObject({ processing: 0, valor: 'água', claimed_by: 'a/1', open: null });
  expect(filled!.filled_at).toEqual(new Date('2026-01-02T23:59:59.999Z'));
  expect(backOff).toMatchObject({ processing: 0, attempts: 3, failures: 3, last_error: 'sem palavra', open: 1 });
  expect(dead).toMatchObject({ processing: 2, attempts: 5, failures: 5, due_at: null, open: null });
  expect(await db.selectFrom('IdempotencyKeys').selectAll().execute()).toMatchObject([{ created_at: created }]);
}

describe.each(Object.entries(VERSION_1))('%s', (_, file) => {
  test('becomes like a fresh database and keeps its rows, and loading it again changes nothing', async () => {
    await using database = await createTestDatabase({ hasSchema: false });
    const { db } = database;
    await loadVersion1(db, file);
    expect(await loadSchema(db)).toEqual({ from: 'version 1', hasAccounts: true });
    expect(await structureOf(db)).toEqual(fresh);
    await expectVersion1Rows(db);
    const id = await readInstallationId(db);
    expect(await loadSchema(db)).toEqual({ from: 'this version', hasAccounts: true });
    expect(await readInstallationId(db)).toBe(id);
    expect(await structureOf(db)).toEqual(fresh);
    await expectVersion1Rows(db);
    await checkDatabase(db, 'consumer', endless);
    await checkDatabase(db, 'producer', endless);
  });

  test('goes on working: what was free or lost is claimed and filled, the dead revived, keys known', async () => {
    await using database = await createTestDatabase({ hasSchema: false });
    const { db } = database;
    await loadVersion1(db, file);
    await loadSchema(db);
    const claims = await claimAll(db);
    expect(claims.map(({ id, attempt, failures }) => [id, attempt, failures])).toEqual([
      [1, 1, 0],
      [3, 2, 1],
      [5, 4, 3],
      [7, 1, 0],
    ]);
    const fills = claims.map((claim) => ({ ...claim, valor: 'rio' }));
    expect(await fillEvents(db, { claimedBy: 'b', claims: fills })).toMatchObject({ written: fills });
    expect((await reviveEvents(db, [6])).revived).toEqual(new Set([6]));
    const again = await createEventsOnce(db, [{ key: 'order-17', events: [{}] }]);
    expect(again.get('order-17')).toEqual({ firstId: 7, howMany: 1 });
    expect(await createEvents(db, [{}])).toBe(8);
  });

  test('is upgraded beside its own producers and consumers, which claim nothing wrong and lose nothing', async () => {
    await using database = await createTestDatabase({ hasSchema: false });
    const { db } = database;
    await loadVersion1(db, file);
    const consumer = database.connect({ url: database.url.replace('//user:', '//consumer:'), retryMs: 500 });
    const producer = database.connect({ url: database.url.replace('//user:', '//producer:'), retryMs: 30_000 });
    const old = await startVersion1Clients({ producer, consumer });
    await expect.poll(() => old.filled.size, { timeout: 30_000 }).toBeGreaterThan(5);
    await loadSchema(db);
    const before = old.created.length;
    await expect.poll(() => old.created.length, { timeout: 30_000 }).toBeGreaterThan(before);
    await old.stop();
    expect(old.errors.at(-1)).toMatch(/ER_SP_WRONG_NO_OF_ARGS|routines are of another version/);
    // What they held and could not fill is claimed again when its lease is over.
    await sql`UPDATE Events SET lease_until = '2001-01-01' WHERE open = 1 AND processing = 1`.execute(db);
    const wasFilled = await ask(db, `SELECT id, valor FROM Events WHERE valor LIKE 'v1-%' ORDER BY id`);
    expect(wasFilled.map(({ id }) => id)).toEqual([...old.filled].toSorted((a, b) => a - b));
    await sql`UPDATE Kinds SET looked_at = '2000-01-01'`.execute(db);
    for (let claims = await claimAll(db); claims.length > 0; claims = await claimAll(db)) {
      await fillEvents(db, { claimedBy: 'b', claims: claims.map((claim) => ({ ...claim, valor: 'v2' })) });
    }
    const ids = (await ask(db, 'SELECT id FROM Events')).map(({ id }) => id);
    expect(old.created.filter((id) => !ids.includes(id))).toEqual([]);
    expect(await ask(db, 'SELECT id FROM Events WHERE open = 1')).toEqual([]);
    expect(await ask(db, `SELECT id FROM Events WHERE valor LIKE 'v1-%' ORDER BY id`)).toHaveLength(old.filled.size);
    expect(await countEvents(db)).toBe(ids.length);
  });
});

async function claimAll(db: Database) {
  const kinds = [{ kind: 'word', limit: 100, maxFailures: 10 }];
  return (await claimEvents(db, { claimedBy: 'b', leaseMs: 30_000, kinds }))[0]!.claims;
}

/** The statements that version 1's code sends, by its accounts, over and over. */
async function startVersion1Clients({ producer, consumer }: { producer: Database; consumer: Database }) {
  const stop = new AbortController();
  const created: number[] = [];
  const filled = new Set<number>();
  const errors: string[] = [];
  const create = async () => {
    const { rows } = await sql<{ first_id: number }[]>`CALL create_events('[{},{}]')`.execute(producer);
    created.push(rows[0]![0]!.first_id, rows[0]![0]!.first_id + 1);
  };
  const claimAndFill = async () => {
    const { rows } = await sql<
      { claimed: string | null }[]
    >`CALL claim_events('old/1', 5, 30000, '2000-01-01')`.execute(consumer);
    for (const [id, attempt] of JSON.parse(rows[0]![0]!.claimed ?? '[]') as [number, number][]) {
      const { numAffectedRows } = await sql`
        UPDATE (
          SELECT Events.id, given.text FROM JSON_TABLE(${JSON.stringify([[id, attempt, `v1-${id}`]])}, '$[*]' COLUMNS (
            id BIGINT UNSIGNED PATH '$[0]', attempt INT UNSIGNED PATH '$[1]', text VARCHAR(255) PATH '$[2]'
          )) AS given
          STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = given.id
          WHERE Events.open = 1 AND Events.claimed_by = 'old/1' AND Events.attempts = given.attempt
            AND Events.due_at > NOW(3) AND given.text <> ''
          LIMIT 1 FOR UPDATE /*!80000 OF Events */ SKIP LOCKED
        ) AS held
        STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = held.id
        SET valor = held.text, processing = 0, filled_at = NOW(3), last_error = NULL`.execute(consumer);
      if (numAffectedRows === 1n) filled.add(id);
    }
  };
  const repeat = async (what: () => Promise<void>) => {
    while (!stop.signal.aborted) {
      await what().catch((error: unknown) => void errors.push(String(error)));
    }
  };
  const running = Promise.all([repeat(create), repeat(claimAndFill)]);
  return {
    created,
    filled,
    errors,
    stop: async () => {
      stop.abort();
      await running;
    },
  };
}

const COURSES: [string, string[], number][] = [
  [
    'as the course system makes them',
    [
      'CREATE TABLE DBStatus (id INT NOT NULL PRIMARY KEY)',
      'INSERT INTO DBStatus VALUES (3)',
      `CREATE TABLE Events (id INT NOT NULL PRIMARY KEY, valor VARCHAR(255) NOT NULL DEFAULT '',
        processing BOOLEAN NOT NULL DEFAULT 0)`,
      `INSERT INTO Events VALUES (1, 'água', 0), (2, '', 1), (3, '', 0)`,
    ],
    3,
  ],
  [
    'without a key, with several counters and all in latin1',
    [
      'CREATE TABLE DBStatus (id BIGINT) CHARACTER SET latin1',
      'INSERT INTO DBStatus VALUES (2), (5), (5), (NULL)',
      'CREATE TABLE Events (id BIGINT, valor TEXT, processing INT) CHARACTER SET latin1',
      `INSERT INTO Events VALUES (1, 'água', NULL), (2, NULL, 1), (3, NULL, 7)`,
    ],
    5,
  ],
  [
    'with ids that count themselves, an index, checks and no counter',
    [
      'CREATE TABLE DBStatus (id INT AUTO_INCREMENT PRIMARY KEY)',
      `CREATE TABLE Events (processing TINYINT(1) CHECK (processing IN (0, 1)), id INT UNSIGNED AUTO_INCREMENT,
        valor VARCHAR(40), PRIMARY KEY (id, processing), UNIQUE KEY (id), KEY free (processing, id),
        CONSTRAINT short CHECK (CHAR_LENGTH(valor) < 30)) COLLATE utf8mb4_general_ci`,
      `INSERT INTO Events (valor, processing) VALUES ('água', 0), ('', 1), (NULL, 0)`,
    ],
    3,
  ],
];

describe.each(COURSES)('tables of a course system, %s,', (_, statements, counter) => {
  test('become like a fresh database with their rows in it, and go on working', async () => {
    await using database = await createTestDatabase({ hasSchema: false });
    const { db } = database;
    await runStatements(db, statements);
    expect(await loadSchema(db)).toEqual({ from: 'the tables of a course system', hasAccounts: true });
    expect(await structureOf(db)).toEqual(fresh);
    await expectCourseRows(db, counter);
    await loadSchema(db);
    await expectCourseRows(db, counter);
    await fillFreeCourseRow(db);
    expect(await createEvents(db, [{}])).toBe(counter + 1);
    await database.letTimePass();
    await sql`UPDATE Kinds SET looked_at = '2000-01-01'`.execute(db);
    expect(await claimAll(db)).toMatchObject([{ id: 2, failures: 1 }, { id: counter + 1 }]);
  });
});

async function expectCourseRows(db: Database, counter: number): Promise<void> {
  expect(await countEvents(db)).toBe(counter);
  expect(await db.selectFrom('Events').selectAll().orderBy('id').execute()).toMatchObject([
    { id: 1, valor: 'água', processing: 0, open: null },
    { id: 2, processing: 1, open: 1, failures: 0 },
    { id: 3, processing: 0, open: 1 },
  ]);
  const { leaseUntil } = (await showEvent(db, 2))!;
  expect(Math.abs(leaseUntil!.getTime() - Date.now() - 60_000)).toBeLessThan(30_000);
}

async function fillFreeCourseRow(db: Database): Promise<void> {
  const claims = await claimAll(db);
  expect(claims).toMatchObject([{ id: 3 }]);
  await fillEvents(db, { claimedBy: 'b', claims: claims.map((claim) => ({ ...claim, valor: 'rio' })) });
}

test.each([
  ['twice', 'INSERT INTO Events VALUES (1, NULL, 0), (1, NULL, 0)'],
  ['below 1', 'INSERT INTO Events VALUES (0, NULL, 0)'],
  ['that are none', 'INSERT INTO Events VALUES (NULL, NULL, 0)'],
])('tables of a course system with ids %s are refused and stay as they are', async (_, rows) => {
  await using database = await createTestDatabase({ hasSchema: false });
  const { db } = database;
  await runStatements(db, [
    'CREATE TABLE DBStatus (id INT)',
    'CREATE TABLE Events (id INT, valor TEXT, processing INT)',
    rows,
  ]);
  const before = await structureOf(db);
  await expect(loadSchema(db)).rejects.toThrow('rows without an id of their own from 1 on, and stays as it is');
  expect(await structureOf(db)).toEqual(before);
});

describe('an upgrade that is broken off', () => {
  /** A connection that is lost before the statement with this number. */
  function brokenAfter(db: Database, count: number) {
    let sent = 0;
    const transformQuery = ({ node }: PluginTransformQueryArgs): RootOperationNode => {
      if (sent === count) throw new Error('broken off');
      sent++;
      return node;
    };
    return db.withPlugin({ transformQuery, transformResult: async ({ result }) => result });
  }

  const interrupted: [string, (database: TestDatabase) => Promise<void>, (db: Database) => Promise<void>][] = [
    ['of version 1', ({ db }) => loadVersion1(db, '1a.sql'), expectVersion1Rows],
    ['of a course system', ({ db }) => runStatements(db, COURSES[1]![1]), (db) => expectCourseRows(db, 5)],
  ];

  test.each(interrupted)(
    'after any statement, %s, goes on when it is repeated',
    async (_, make, expectRows) => {
      for (let count = 1; ; count += count < 22 ? 1 : 12) {
        await using database = await createTestDatabase({ hasSchema: false });
        const { db } = database;
        await make(database);
        const isBroken = await loadSchema(brokenAfter(db, count)).then(
          () => false,
          () => true,
        );
        // Whatever was reached, no process takes it for finished.
        if (isBroken && !(await isOfThisVersion(db)))
          await expect(checkDatabase(db, 'producer', endless)).rejects.toThrow();
        await loadSchema(db);
        expect(await structureOf(db)).toEqual(fresh);
        await expectRows(db);
        if (!isBroken) break;
      }
    },
    300_000,
  );

  async function isOfThisVersion(db: Database): Promise<boolean> {
    return (
      (await ask(db, `SHOW TABLES LIKE 'Installation'`)).length > 0 &&
      (await ask(db, 'SELECT * FROM Installation')).length > 0
    );
  }
});

test('tables of a later version are refused by whoever loads them and by each process, with what to do', async () => {
  await using database = await createTestDatabase();
  const { db } = database;
  await sql`ALTER TABLE Events ADD of_version_3 INT NULL`.execute(db);
  expect(await loadSchema(db)).toMatchObject({ from: 'this version' });
  await sql`UPDATE Installation SET version = 3`.execute(db);
  const sentence = 'The database has version 3 of the tables, and this program needs version 2; update the program.';
  await expect(loadSchema(db)).rejects.toThrow(sentence);
  for (const kind of ['producer', 'consumer'] as const) {
    await expect(checkDatabase(db, kind, endless)).rejects.toThrow(sentence);
  }
});
