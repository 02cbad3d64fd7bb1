import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { createEvents } from '../database/events/create.ts';
import { findEvent } from '../database/events/read.ts';
import { connectForeignClient } from '../tests/foreign-client.ts';
import { fillAll, killAll } from '../tests/producer-app.ts';
import { useTestDatabase } from '../tests/test-database.ts';

const database = await useTestDatabase();
const { db } = database;

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));
const some = (count: number) => Array.from({ length: count }, () => ({}));

/** `npm run events -- …`, in a process of its own and with the producers' account. */
async function events(...args: string[]) {
  const env = { ...process.env, DATABASE_URL: database.url.replace('//user:', '//producer:') };
  const child = spawn(process.execPath, [MAIN, ...args], { cwd: import.meta.dirname, env });
  const output = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => void (output.out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (output.err += text));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...output };
}

describe('dead', () => {
  test('lists the dead and no others, some at a time', async () => {
    await createEvents(db, some(3));
    await killAll(db);
    await createEvents(db, some(2));
    await fillAll(db, 'rio');
    await createEvents(db, some(1));
    const all = await events('dead');
    expect(all).toMatchObject({ code: 0, err: '' });
    expect(all.out.match(/^#\d+ {2}1 attempts {2}created \S+Z {2}sem palavra$/gm)).toHaveLength(3);
    expect(all.out.split('\n')).toHaveLength(4);
    const first = await events('dead', '--limit', '2');
    expect(first.out).toMatch(/^#1 .*\n#2 .*\nthere may be more: --after 2\n$/);
    expect((await events('dead', '--limit', '2', '--after', '2')).out).toMatch(/^#3 .*\n$/);
  });

  test('says so when there are none', async () => {
    expect(await events('dead')).toEqual({ code: 0, out: 'no dead events\n', err: '' });
    expect(await events('dead', '--json')).toEqual({ code: 0, out: '', err: '' });
  });

  test('is one line of JSON for each event', async () => {
    await createEvents(db, some(2));
    await killAll(db);
    const { out } = await events('dead', '--json');
    const lines = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    expect(lines).toMatchObject(
      [1, 2].map((id) => ({ id, status: 'dead', attempts: 1, lastError: 'sem palavra', dueAt: null })),
    );
  });

  test('does not hand control characters to a terminal', async () => {
    await createEvents(db, some(1));
    await killAll(db);
    await sql`UPDATE Events SET last_error = ${'\x1b[2Jsem\u202epalavra\n'}`.execute(db);
    for (const args of [['dead'], ['show', '1']]) {
      expect((await events(...args)).out).toContain('�[2Jsem�palavra�\n');
    }
  });
});

describe('show', () => {
  test('prints all that a person asks about an event', async () => {
    await createEvents(db, some(1));
    await fillAll(db, 'rio');
    const { code, out } = await events('show', '1');
    expect(code).toBe(0);
    const row = await db.selectFrom('Events').selectAll().executeTakeFirstOrThrow();
    expect(out.split('\n')).toEqual([
      'event #1',
      '  kind        word',
      '  key         none',
      '  payload     none',
      '  status      filled',
      '  value       rio',
      '  attempts    1',
      '  failures    0',
      '  waits       0',
      '  claimed by  test',
      `  due at      ${row.due_at?.toISOString()}`,
      `  created at  ${row.created_at.toISOString()}`,
      `  filled at   ${row.filled_at?.toISOString()}`,
      '  last error  none',
      '',
    ]);
  });

  test('is one line of JSON on demand', async () => {
    await createEvents(db, some(1));
    const { out } = await events('show', '1', '--json');
    expect(JSON.parse(out)).toEqual({
      id: 1,
      kind: 'word',
      key: null,
      payload: null,
      valor: null,
      status: 'pending',
      attempts: 0,
      failures: 0,
      waits: 0,
      claimedBy: null,
      leaseUntil: null,
      dueAt: expect.stringMatching(/Z$/),
      createdAt: expect.stringMatching(/Z$/),
      filledAt: null,
      lastError: null,
    });
  });

  test('has the key, and the payload in one line with its size', async () => {
    await createEvents(db, [
      { kind: 'email', key: 'client-5', payload: '{\n  "to": "ana"\n}' },
      { kind: 'email', payload: JSON.stringify('ç'.repeat(1_000)) },
    ]);
    await sql`UPDATE Events SET waits = 3 WHERE id = 1`.execute(db);
    const { out } = await events('show', '1');
    expect(out).toContain('\n  key         client-5\n  payload     { "to": "ana" } (17 bytes)\n');
    expect(out).toContain('\n  waits       3\n');
    expect((await events('show', '2')).out).toContain(`\n  payload     "${'ç'.repeat(79)}… (2002 bytes)\n`);
    const json = JSON.parse((await events('show', '1', '--json')).out) as object;
    expect(json).toMatchObject({ key: 'client-5', payload: '{\n  "to": "ana"\n}', waits: 3 });
  });

  test('says what is wrong with a payload and a value that are no JSON', async () => {
    await createEvents(db, [{ kind: 'email', payload: '1' }]);
    await sql`UPDATE EventPayloads SET payload = 'x'`.execute(db);
    expect((await events('show', '1')).out).toContain('\n  problem     The payload is no JSON; it is given as text.\n');
    await sql`UPDATE EventPayloads SET payload = NULL`.execute(db);
    await sql`UPDATE Events SET valor = 'x'`.execute(db);
    expect((await events('show', '1')).out).toContain('\n  problem     The value is no JSON; it is given as text.\n');
  });

  test('an event that was never created is an error', async () => {
    expect(await events('show', '7')).toEqual({ code: 1, out: '', err: 'events: there is no event 7\n' });
  });
});

describe('revive', () => {
  test('makes the named events pending again, and no others', async () => {
    await createEvents(db, some(3));
    await killAll(db);
    expect(await events('revive', '1', '3')).toEqual({ code: 0, out: '2 events revived\n', err: '' });
    expect(await findEvent(db, 1)).toMatchObject({ status: 'pending' });
    expect(await findEvent(db, 2)).toMatchObject({ status: 'dead' });
  });

  test('says which could not be revived and why, and revives the others', async () => {
    await createEvents(db, some(1));
    await killAll(db);
    await createEvents(db, some(1));
    expect(await events('revive', '2', '1', '99', '--json')).toEqual({
      code: 1,
      out: '{"revived":1}\n',
      err: 'events: event 2 is not dead but pending\nevents: there is no event 99\n',
    });
  });

  test('says that an event is locked, and revives the others', async () => {
    await createEvents(db, some(2));
    await killAll(db);
    const stranger = await connectForeignClient(database.url);
    await stranger.beginTransaction();
    await stranger.query('SELECT id FROM Events FORCE INDEX (PRIMARY) WHERE id = 1 FOR UPDATE');
    expect(await events('revive', '1', '2')).toEqual({
      code: 1,
      out: '1 event revived\n',
      err: 'events: event 1 is locked by another connection; try again\n',
    });
    await stranger.rollback();
  });

  test('leaves out what would run out of order, says so, and revives it on demand', async () => {
    await createEvents(db, [{ key: 'k' }, { key: 'k' }]);
    await killAll(db);
    await fillAll(db, 'rio');
    const why = 'a later event of its key is filled or deleted; --out-of-order revives it';
    expect(await events('revive', '1')).toEqual({
      code: 1,
      out: '0 events revived\n',
      err: `events: event 1 is left out: ${why}\n`,
    });
    expect((await events('revive', '--all')).out).toMatch(
      /^0 events revived\n1 event left out: a later event .*--out-of-order/,
    );
    expect((await events('revive', '--all', '--json')).out).toBe('{"revived":0,"outOfOrder":1}\n');
    expect(await events('revive', '1', '--out-of-order')).toEqual({ code: 0, out: '1 event revived\n', err: '' });
  });

  test('--all revives every dead event, however many', async () => {
    await createEvents(db, some(2_500));
    await killAll(db);
    await createEvents(db, some(1));
    await sql`UPDATE Events SET due_at = NULL, valor = 'tarde' WHERE id = 5`.execute(db); // a foreign client filled it
    expect(await events('revive', '--all')).toEqual({ code: 0, out: '2499 events revived\n', err: '' });
    expect((await events('dead')).out).toBe('no dead events\n');
    expect(await findEvent(db, 5)).toMatchObject({ status: 'filled' });
  });
});

describe('outbox', () => {
  test('counts its rows, and shows those of which no event can be made', async () => {
    await sql`INSERT INTO Outbox (event) VALUES ('{}'), ('{'), ('[]')`.execute(db);
    await sql`UPDATE Outbox SET problem = 'it is no JSON' WHERE event <> '{}'`.execute(db);
    const { code, out } = await events('outbox', '--limit', '1');
    expect(code).toBe(0);
    expect(out).toMatch(/^1 waiting, 2 put aside\n#\d+ {2}it is no JSON {2}\{\n$/);
    expect(JSON.parse((await events('outbox', '--json')).out)).toMatchObject({
      waiting: 1,
      aside: 2,
      problems: [{ event: '{' }, { event: '[]' }],
    });
  });
});

test('what cannot be understood is said in one line, and nothing is done', async () => {
  await createEvents(db, some(1));
  await killAll(db);
  const { code, out, err } = await events('revive', '1', '01');
  expect({ code, out }).toEqual({ code: 1, out: '' });
  expect(err).toMatch(/^events: "01": expected an id[^\n]+\n$/);
  expect(await findEvent(db, 1)).toMatchObject({ status: 'dead' });
});

test('--help names every command', async () => {
  const { code, out } = await events('--help');
  expect(code).toBe(0);
  for (const word of ['dead', 'show', 'revive', '--all', '--json', '--limit']) expect(out).toContain(word);
});

test('a database that cannot be reached is said, with exit code 1', async () => {
  const env = { ...process.env, DATABASE_URL: 'mysql://user:geheim@127.0.0.1:1/none' };
  const child = spawn(process.execPath, [MAIN, 'dead'], { cwd: import.meta.dirname, env });
  let err = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (err += text));
  const [code] = (await once(child, 'close')) as [number | null];
  expect(code).toBe(1);
  expect(err).toMatch(/^events: ECONNREFUSED/);
  expect(err).not.toContain('geheim');
});
