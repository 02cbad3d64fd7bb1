import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { startOwnServer } from '../tests/own-server.ts';
import { createTestDatabase, useTestDatabase } from '../tests/test-database.ts';
import { checkCreates, checkDatabase, createReadyCheck } from './check-database.ts';
import type { Database } from './connect.ts';
import { DatabaseError } from './database-error.ts';
import { createEvents } from './events/create.ts';
import { countEvents } from './events/read.ts';
import { loadSchema } from './load-schema.ts';

type Kind = Parameters<typeof checkDatabase>[1];

const { db } = await useTestDatabase();
const endless = new AbortController().signal;

/** What is said of why a process of this kind is not ready. */
async function whyNotReady(database: Database, kind: Kind): Promise<string> {
  const error = await checkDatabase(database, kind, endless).catch((reason: unknown) => reason);
  return error instanceof Error ? error.message : 'it is ready';
}

const CLAIMS = ['claim_events', 'renew_events', 'fill_events', 'give_back_events', 'add_kinds'];
const BESIDE = ['look_at_keys', 'forget_log'];
const TRANSACTIONS = [
  'lock_events',
  'lock_next_events',
  'fill_locked',
  'give_back_locked',
  'lock_held',
  'lock_all_held',
  'fill_held',
];

describe('a process that could do nothing is not ready, says what to do, and is ready when that is done', () => {
  const states: [name: string, kind: Kind, harm: string[], says: RegExp][] = [
    ['the counter has no row', 'producer', ['DELETE FROM DBStatus'], /DBStatus is missing; load database\/init\.sql/],
    [
      'a create’s routine has an older signature',
      'producer',
      ['DROP PROCEDURE create_events', 'CREATE PROCEDURE create_events() SELECT 1 AS first_id'],
      /routines are of another version; run npm run migrate/,
    ],
    [
      'a keyed create’s routine is missing',
      'producer',
      ['DROP PROCEDURE create_events_by_key'],
      /routine is missing; run npm run migrate.*create_events_by_key/,
    ],
    [
      'a claim’s routine has an older signature',
      'consumer',
      ['DROP PROCEDURE claim_events', 'CREATE PROCEDURE claim_events(IN consumer VARCHAR(64)) SELECT 1'],
      /routines are of another version; run npm run migrate/,
    ],
    ...[...CLAIMS, ...BESIDE, ...TRANSACTIONS].map((routine): [string, Kind, string[], RegExp] => [
      `${routine} is missing`,
      'consumer',
      [`DROP PROCEDURE ${routine}`],
      new RegExp(`routine is missing.*${routine}`),
    ]),
    ...(['producer', 'consumer'] as const).flatMap((kind): [string, Kind, string[], RegExp][] => [
      [
        `the tables are of a later version, for a ${kind}`,
        kind,
        ['UPDATE Installation SET version = 3'],
        /^The database has version 3 of the tables, and this program needs version 2; update the program\.$/,
      ],
      [
        `the tables were not loaded to the end, for a ${kind}`,
        kind,
        ['DELETE FROM Installation'],
        /not loaded to the end, and this program needs version 2; run npm run migrate\.$/,
      ],
    ]),
  ];

  test.each(states)('%s', async (_, kind, harm, says) => {
    await createEvents(db, [{}]);
    for (const statement of harm) await sql.raw(statement).execute(db);
    expect(await whyNotReady(db, kind)).toMatch(says);
    if (kind === 'producer') await expect(checkCreates(db)).rejects.toThrow(says);
    await sql`DELETE FROM Installation`.execute(db);
    await loadSchema(db);
    expect(await whyNotReady(db, kind)).toBe('it is ready');
    await checkCreates(db);
    expect(await countEvents(db)).toBe(1);
  });

  test.each(['producer', 'consumer'] as const)('the account that loaded init.sql is gone, for a %s', async (kind) => {
    await using database = await createTestDatabase();
    const name = `admin_of_${new URL(database.url).pathname.slice(1)}`;
    await sql`CREATE USER ${sql.raw(name)} IDENTIFIED BY 'password'`.execute(db);
    await sql`GRANT ALL PRIVILEGES ON *.* TO ${sql.raw(name)} WITH GRANT OPTION`.execute(db);
    const admin = database.connect({ url: database.url.replace('//user:', `//${name}:`) });
    await loadSchema(admin);
    await admin.destroy();
    expect(await whyNotReady(database.db, kind)).toBe('it is ready');
    await sql`DROP USER ${sql.raw(name)}`.execute(db);
    expect(await whyNotReady(database.db, kind)).toMatch(
      /account that loaded database\/init\.sql is gone; run npm run migrate/,
    );
    await loadSchema(database.db);
    expect(await whyNotReady(database.db, kind)).toBe('it is ready');
  });

  test('the server writes its binary log by statement', async () => {
    const connect = await startOwnServer(['--log-bin=binlog', '--server-id=1', '--log-bin-trust-function-creators=1']);
    const admin = connect();
    await sql`SET GLOBAL binlog_format = 'STATEMENT'`.execute(admin);
    for (const kind of ['producer', 'consumer'] as const) {
      expect(await whyNotReady(connect(), kind)).toMatch(/set binlog_format to ROW or MIXED/);
    }
    await expect(checkCreates(connect())).rejects.toThrow(/set binlog_format/);
    await sql`SET GLOBAL binlog_format = 'ROW'`.execute(admin);
    for (const kind of ['producer', 'consumer'] as const)
      expect(await whyNotReady(connect(), kind)).toBe('it is ready');
  });
});

test.each(['producer', 'consumer'] as const)(
  'tables of version 1 and none at all are told apart for a %s',
  async (kind) => {
    await using database = await createTestDatabase({ hasSchema: false });
    const { db: all, url } = database;
    const own = database.connect({ url: url.replace('//user:', `//${kind}:`) });
    expect(await whyNotReady(all, kind)).toMatch(/^The tables are missing; run npm run migrate\./);
    await sql`CREATE TABLE Events (id INT, valor TEXT, processing INT)`.execute(all);
    await sql`GRANT SELECT ON Events TO ${sql.raw(`'${kind}'@'%'`)}`.execute(all);
    const older = /has tables of version 1 or of another program.*needs version 2; run npm run migrate\.$/;
    expect(await whyNotReady(all, kind)).toMatch(older);
    expect(await whyNotReady(own, kind)).toMatch(older);
    await sql`DROP TABLE Events`.execute(all);
    await loadSchema(all);
    expect(await whyNotReady(own, kind)).toBe('it is ready');
  },
);

test.each(['producer', 'consumer'] as const)(
  'a server that is read-only is waited for by a %s, and what to do is said meanwhile',
  async (kind) => {
    const connect = await startOwnServer();
    const admin = connect();
    const { rows } = await sql<{ version: string }>`SELECT VERSION() AS version`.execute(admin);
    const isMariaDb = rows[0]!.version.includes('MariaDB');
    const variable = isMariaDb ? 'read_only' : 'super_read_only';
    await sql`SET GLOBAL ${sql.raw(variable)} = 1`.execute(admin);
    // MariaDB lets those write who have this right, and so the routines of those. `admin` logged in with it.
    if (isMariaDb) await sql`REVOKE SUPER, READ_ONLY ADMIN ON *.* FROM 'user'@'%'`.execute(admin);
    const said: string[] = [];
    const db = connect({
      account: kind,
      retryMs: 300,
      onAvailability: (available, error) => said.push(available ? 'back' : error!.message),
    });
    const ready = checkDatabase(db, kind, endless);
    await expect
      .poll(() => said[0], { timeout: 10_000 })
      .toMatch(/takes no writes; if that stays so, let DATABASE_URL name/);
    await sql`SET GLOBAL ${sql.raw(variable)} = 0`.execute(admin);
    expect(await ready).toMatchObject({ summary: expect.stringContaining('database') });
    await expect.poll(() => said.at(-1)).toBe('back');
  },
);

test('probes that come at once share one check, and a later one makes its own', async () => {
  const check = createReadyCheck(db);
  const first = check();
  expect(check()).toBe(first);
  await first;
  await sql`DELETE FROM DBStatus`.execute(db);
  await expect(check()).rejects.toThrow(DatabaseError);
  await loadSchema(db);
  await check();
});
