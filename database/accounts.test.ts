import { readFileSync } from 'node:fs';
import { sql } from 'kysely';
import { describe, expect, test, vi } from 'vitest';
import type { Account } from '../start/mysql/local-server.ts';
import { useTestDatabase } from '../tests/test-database.ts';
import { checkDatabase } from './check-database.ts';
import type { Database } from './connect.ts';
import { claimEvents, lockNextEvents } from './events/claim.ts';
import { createEvents, createEventsOnce, forgetKeys } from './events/create.ts';
import { lookAtKeys } from './events/keys.ts';
import { addKinds } from './events/kinds.ts';
import { reviveEvents } from './events/operate.ts';
import { countEvents, findEvent, findSettledEvents } from './events/read.ts';
import { fillEvents, giveBackEvents, renewEvents } from './events/settle.ts';
import { readInstallationId } from './installation.ts';
import { loadSchema } from './load-schema.ts';
import { splitStatements } from './sql-script.ts';

const database = await useTestDatabase();
const { db, letTimePass } = database;

const as = (account: Account): Database => database.connect({ url: database.url.replace('//user:', `//${account}:`) });
const producer = as('producer');
const consumer = as('consumer');
const accounts = { producer, consumer };

const LEASE_MS = 30_000;

const claim = async (db: Database, limit: number) =>
  (await claimEvents(db, { claimedBy: 'a', leaseMs: LEASE_MS, kinds: [{ kind: 'word', limit, maxFailures: 5 }] }))[0]!
    .claims;

describe('each account can do its work', () => {
  test('a producer creates, also by key, looks, waits, mends the counter and revives', async () => {
    await checkDatabase(producer, 'producer', new AbortController().signal);
    expect(await createEvents(producer, [{}, {}])).toBe(1);
    await sql`UPDATE DBStatus SET id = 1`.execute(db);
    expect(await createEvents(producer, [{}])).toBe(3);
    expect(await countEvents(producer)).toBe(3);
    expect(await findEvent(producer, 3)).toMatchObject({ status: 'pending' });
    await sql`UPDATE Events SET due_at = NULL WHERE id = 2`.execute(db);
    expect(await findSettledEvents(producer, [1, 2])).toMatchObject([{ id: 2, status: 'dead' }]);
    expect((await reviveEvents(producer, [1, 2])).revived).toEqual(new Set([2]));
    const once = await createEventsOnce(producer, [{ key: 'order-17', events: [{}] }]);
    expect(once.get('order-17')).toEqual({ firstId: 4, howMany: 1 });
    expect(await forgetKeys(producer, { olderThanMs: 60_000, limit: 10 })).toBe(0);
  });

  test('a consumer claims, renews, fills, gives back, fails and reads what became of a lost claim', async () => {
    await checkDatabase(consumer, 'consumer', new AbortController().signal);
    await createEvents(db, [{}, {}, {}, {}]);
    await addKinds(consumer, ['email']);
    await lookAtKeys(consumer);
    expect(await readInstallationId(consumer)).toMatch(/^[0-9a-f-]{36}$/);
    const [first, second, third, fourth] = await claim(consumer, 4);
    const claimedBy = 'a';
    expect(await renewEvents(consumer, { claimedBy, claims: [first!], leaseMs: LEASE_MS })).toMatchObject({ lost: [] });
    expect(await fillEvents(consumer, { claimedBy, claims: [{ ...first!, valor: 'rio' }] })).toMatchObject({
      lost: [],
    });
    const released = { ...second!, outcome: 'released' as const };
    const refused = { ...third!, outcome: 'refused' as const, reason: 'x' };
    expect(await giveBackEvents(consumer, { claimedBy, claims: [released, refused] })).toMatchObject({ givenBack: 2 });
    expect(await findEvent(consumer, 3)).toMatchObject({ status: 'dead' });
    const nothing = { kind: 'word', limit: 1, maxFailures: 5, payloadRoom: 1, nth: 1, after: [] };
    expect(await lockNextEvents(consumer, nothing)).toEqual([]);
    await letTimePass();
    const late = { ...fourth!, valor: 'tarde' };
    expect(await fillEvents(consumer, { claimedBy, claims: [late] })).toMatchObject({ lost: [late] });
    expect(await countEvents(consumer)).toBe(4);
  });
});

describe('each account is refused what is not its business', () => {
  /** What the server says: no right to this command on this table, column or routine, or none in this database. */
  const DENIED = new Set([
    'ER_TABLEACCESS_DENIED_ERROR',
    'ER_COLUMNACCESS_DENIED_ERROR',
    'ER_PROCACCESS_DENIED_ERROR',
    'ER_DBACCESS_DENIED_ERROR',
    'ER_ACCESS_DENIED_ERROR',
    'ER_SPECIFIC_ACCESS_DENIED_ERROR',
    'ER_CANT_CREATE_USER_WITH_GRANT',
    'ER_NONEXISTING_TABLE_GRANT',
    'ER_NONEXISTING_PROC_GRANT',
    'ER_BINLOG_CREATE_ROUTINE_NEED_SUPER',
  ]);

  const NOBODY = [
    'DELETE FROM Events',
    'DELETE FROM DBStatus',
    'DELETE FROM IdempotencyKeys',
    'SELECT idempotency_key FROM IdempotencyKeys',
    'TRUNCATE TABLE Events',
    'DROP TABLE Events',
    'DROP TABLE DBStatus',
    'ALTER TABLE Events ADD COLUMN n INT',
    'CREATE INDEX by_valor ON Events (valor)',
    'CREATE TABLE mine (id INT)',
    'CREATE VIEW mine AS SELECT id FROM Events',
    'CREATE TRIGGER mine BEFORE DELETE ON Events FOR EACH ROW SET @a = 1',
    'CREATE PROCEDURE mine() SELECT 1',
    'DROP TRIGGER keep_filled_and_lease',
    'DROP PROCEDURE create_events',
    'DROP PROCEDURE claim_events',
    'INSERT INTO Events (id) VALUES (7)',
    'INSERT INTO DBStatus (id) VALUES (7)',
    'UPDATE DBStatus SET id = 7',
    'UPDATE Events SET id = 7',
    "UPDATE Events SET valor = 'x'",
    'UPDATE Events SET due_at = NULL',
    'UPDATE Kinds SET paused = 1',
    'UPDATE Installation SET version = 1',
    "CALL insert_events(7, '[{}]')",
    "CALL claim_kind('x', 1, '{}')",
    "CALL pass_on_keys('[]')",
    "CALL free_keys('[]')",
    'SELECT event_key FROM EventKeys',
    'UPDATE Events SET created_at = NOW(3)',
    "GRANT SELECT ON Events TO 'producer'@'%'",
    "GRANT EXECUTE ON PROCEDURE create_events TO 'consumer'@'%'",
    "CREATE USER mine IDENTIFIED BY 'mine'",
    'SET GLOBAL max_connections = 1',
    'SELECT * FROM mysql.user',
  ];
  const REFUSED = {
    producer: [
      ...NOBODY,
      'CALL look_at_keys()',
      "CALL claim_events('x', 1, '[]')",
      "CALL fill_events('x', '[]', 0)",
      "CALL lock_next_events('{}')",
    ],
    consumer: [
      ...NOBODY,
      "CALL create_events('[{}]')",
      "CALL create_events_by_key('[]')",
      'CALL forget_keys(0, 1)',
      'CALL raise_counter()',
      "CALL revive_events('[1]', 0)",
    ],
  };
  const rows = Object.entries(REFUSED).flatMap(([account, statements]) =>
    statements.map((statement) => [account as keyof typeof REFUSED, statement] as const),
  );

  test.each(rows)('%s: %s', async (account, statement) => {
    await createEvents(db, [{}]);
    const before = await db.selectFrom('Events').selectAll().execute();
    await expect(sql.raw(statement).execute(accounts[account])).rejects.toMatchObject({
      code: expect.toSatisfy((code: string) => DENIED.has(code)),
    });
    expect(await db.selectFrom('Events').selectAll().execute()).toEqual(before);
    expect(await countEvents(db)).toBe(1);
  });
});

test('every routine of init.sql is given to an account, or called by one that is, and none is given that is not there', () => {
  const script = (file: string) => splitStatements(readFileSync(new URL(file, import.meta.url), 'utf8')).join('\n');
  const init = script('init.sql');
  const made = [...init.matchAll(/CREATE PROCEDURE (\w+)/g)].map(([, name]) => name!);
  const dropped = Array.from(init.matchAll(/DROP PROCEDURE (\w+)$/gm), ([, name]) => name!);
  const called = Array.from(init.matchAll(/CALL (\w+)/g), ([, name]) => name!);
  const given = [...script('accounts.sql').matchAll(/EXECUTE ON PROCEDURE (\w+)/g)].map(([, name]) => name!);
  expect(given.length).toBeGreaterThan(2);
  expect(given.filter((name) => !made.includes(name))).toEqual([]);
  const used = new Set([...given, ...called, ...dropped]);
  expect(made.filter((name) => !used.has(name))).toEqual([]);
});

test('both accounts go on working while the schema is loaded again', async () => {
  const stop = new AbortController();
  let created = 0;
  let claimed = 0;
  const working = Promise.all([
    (async () => {
      for (; !stop.signal.aborted; created++) await createEvents(producer, [{}]);
    })(),
    (async () => {
      for (; !stop.signal.aborted; claimed++) await claim(consumer, 1);
    })(),
  ]);
  for (let time = 0; time < 3; time++) {
    await loadSchema(db);
    const before = { created, claimed };
    await vi.waitFor(() => {
      expect(created).toBeGreaterThan(before.created);
      expect(claimed).toBeGreaterThan(before.claimed);
    });
  }
  stop.abort();
  await working;
  expect(await countEvents(db)).toBe(created);
});

test('an account without its rights is told at start what to load', async () => {
  const signal = new AbortController().signal;
  await sql`REVOKE EXECUTE ON PROCEDURE create_events FROM 'producer'@'%'`.execute(db);
  await expect(checkDatabase(producer, 'producer', signal)).rejects.toThrow(
    /may not call the routines; run npm run migrate.*accounts\.sql.*create_events/,
  );
  await loadSchema(db);
  await sql`REVOKE SELECT ON DBStatus FROM 'producer'@'%'`.execute(db);
  await expect(checkDatabase(producer, 'producer', signal)).rejects.toThrow(
    /may not use the tables; run npm run migrate.*accounts\.sql/,
  );
  await loadSchema(db);
  await checkDatabase(producer, 'producer', signal);
});
