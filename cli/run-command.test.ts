import { type Insertable, sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { createEvents } from '../database/events/create.ts';
import { findEvent } from '../database/events/read.ts';
import type { EventLogTable } from '../database/schema.ts';
import { connectForeignClient } from '../tests/foreign-client.ts';
import { fillAll, killAll } from '../tests/producer-app.ts';
import { useTestDatabase } from '../tests/test-database.ts';
import { readOperatorConfig } from './config.ts';
import { runCommand } from './run-command.ts';

const database = await useTestDatabase();
const { db } = database;
const some = (count: number) => Array.from({ length: count }, () => ({}));

const url = database.url.replace('//user:', '//producer:');
const producer = database.connect({ url });

/** What `npm run events -- …` prints and whether it could do all of it, with the producers' account. */
async function events(...args: string[]) {
  const { command, json } = readOperatorConfig(args, { DATABASE_URL: url });
  if (command.name === 'help') throw new Error('help is no command');
  const output = { out: '', err: '' };
  const write = (line: string) => void (output.out += `${line}\n`);
  const complain = (line: string) => void (output.err += `${line}\n`);
  return { isDone: await runCommand({ db: producer, json, write, complain }, command), ...output };
}

describe('dead', () => {
  test('lists the dead and no others, some at a time', async () => {
    await createEvents(db, some(3));
    await killAll(db);
    await createEvents(db, some(2));
    await fillAll(db, 'rio');
    await createEvents(db, some(1));
    const all = await events('dead');
    expect(all).toMatchObject({ isDone: true, err: '' });
    expect(all.out.match(/^#\d+ {2}1 attempts {2}created \S+Z {2}sem palavra$/gm)).toHaveLength(3);
    expect(all.out.split('\n')).toHaveLength(4);
    const first = await events('dead', '--limit', '2');
    expect(first.out).toMatch(/^#1 .*\n#2 .*\nthere may be more: --after 2\n$/);
    expect((await events('dead', '--limit', '2', '--after', '2')).out).toMatch(/^#3 .*\n$/);
  });

  test('says so when there are none', async () => {
    expect(await events('dead')).toEqual({ isDone: true, out: 'no dead events\n', err: '' });
    expect(await events('dead', '--json')).toEqual({ isDone: true, out: '', err: '' });
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
    const { isDone, out } = await events('show', '1');
    expect(isDone).toBe(true);
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
    expect(await events('show', '7')).toEqual({ isDone: false, out: '', err: 'there is no event 7\n' });
  });
});

describe('revive', () => {
  test('makes the named events pending again, and no others', async () => {
    await createEvents(db, some(3));
    await killAll(db);
    expect(await events('revive', '1', '3')).toEqual({ isDone: true, out: '2 events revived\n', err: '' });
    expect(await findEvent(db, 1)).toMatchObject({ status: 'pending' });
    expect(await findEvent(db, 2)).toMatchObject({ status: 'dead' });
  });

  test('says which could not be revived and why, and revives the others', async () => {
    await createEvents(db, some(1));
    await killAll(db);
    await createEvents(db, some(1));
    expect(await events('revive', '2', '1', '99', '--json')).toEqual({
      isDone: false,
      out: '{"revived":1}\n',
      err: 'event 2 is not dead but pending\nthere is no event 99\n',
    });
  });

  test('says that an event is locked, and revives the others', async () => {
    await createEvents(db, some(2));
    await killAll(db);
    const stranger = await connectForeignClient(database.url);
    await stranger.beginTransaction();
    await stranger.query('SELECT id FROM Events FORCE INDEX (PRIMARY) WHERE id = 1 FOR UPDATE');
    expect(await events('revive', '1', '2')).toEqual({
      isDone: false,
      out: '1 event revived\n',
      err: 'event 1 is locked by another connection; try again\n',
    });
    await stranger.rollback();
  });

  test('leaves out what would run out of order, says so, and revives it on demand', async () => {
    await createEvents(db, [{ key: 'k' }, { key: 'k' }]);
    await killAll(db);
    await fillAll(db, 'rio');
    const why = 'a later event of its key is filled or deleted; --out-of-order revives it';
    expect(await events('revive', '1')).toEqual({
      isDone: false,
      out: '0 events revived\n',
      err: `event 1 is left out: ${why}\n`,
    });
    expect((await events('revive', '--all')).out).toMatch(
      /^0 events revived\n1 event left out: a later event .*--out-of-order/,
    );
    expect((await events('revive', '--all', '--json')).out).toBe('{"revived":0,"outOfOrder":1}\n');
    expect(await events('revive', '1', '--out-of-order')).toEqual({ isDone: true, out: '1 event revived\n', err: '' });
  });

  test('--all revives every dead event, however many', async () => {
    await createEvents(db, some(2_500));
    await killAll(db);
    await createEvents(db, some(1));
    await sql`UPDATE Events SET due_at = NULL, valor = 'tarde' WHERE id = 5`.execute(db); // a foreign client filled it
    expect(await events('revive', '--all')).toEqual({ isDone: true, out: '2499 events revived\n', err: '' });
    expect((await events('dead')).out).toBe('no dead events\n');
    expect(await findEvent(db, 5)).toMatchObject({ status: 'filled' });
  });
});

describe('log', () => {
  test('says how attempts ended, of one event, by key, or of all', async () => {
    await createEvents(db, some(3));
    await killAll(db);
    await db
      .insertInto('EventLog')
      .values([line(2), line(1), line(2, { attempt: 2, log_key: 'm-2' })])
      .execute();
    const { out } = await events('log', '--limit', '2');
    expect(out.split('\n')).toEqual([
      '#1  attempt 1  failed after 1500 ms  2026-01-02T03:04:05.678Z  a.1.x  no such�address',
      '#2  attempt 2  failed after 1500 ms  2026-01-02T03:04:05.678Z  a.1.x  no such�address',
      expect.stringMatching(/^there may be earlier ones: --before \d+$/),
      '',
    ]);
    const [before] = /\d+$/.exec(out.trim())!;
    expect((await events('log', '--before', before)).out).toMatch(/^#2 {2}attempt 1 [^\n]+\n$/);
    for (const args of [['2'], ['--key', 'm-2']]) {
      expect((await events('log', ...args)).out).toMatch(/^#2 {2}attempt 1 [^\n]+\n#2 {2}attempt 2 [^\n]+\n$/);
    }
    const json = (await events('log', '1', '--json')).out;
    expect(JSON.parse(json)).toMatchObject({ id: 1, kind: 'word', attempt: 1, outcome: 'failed', key: null });
  });

  test('says so when there is nothing, and leaves out what is not known of a consumer that died', async () => {
    expect((await events('log')).out).toBe('no attempts in the log\n');
    await db
      .insertInto('EventLog')
      .values(line(7, { outcome: 'lost', started_at: null, text: null }))
      .execute();
    expect((await events('log')).out).toBe('#7  attempt 1  lost  2026-01-02T03:04:05.678Z  a.1.x\n');
  });

  const line = (id: number, more: Partial<Insertable<EventLogTable>> = {}) => ({
    id,
    attempt: 1,
    started_at: new Date('2026-01-02T03:04:04.178Z'),
    ended_at: new Date('2026-01-02T03:04:05.678Z'),
    consumer: 'a.1.x',
    outcome: 'failed',
    text: 'no such\naddress',
    ...more,
  });
});

describe('outbox', () => {
  test('counts its rows, and shows those of which no event can be made', async () => {
    await sql`INSERT INTO Outbox (event) VALUES ('{}'), ('{'), ('[]')`.execute(db);
    await sql`UPDATE Outbox SET problem = 'it is no JSON' WHERE event <> '{}'`.execute(db);
    const { isDone, out } = await events('outbox', '--limit', '1');
    expect(isDone).toBe(true);
    expect(out).toMatch(/^1 waiting, 2 put aside\n#\d+ {2}it is no JSON {2}\{\n$/);
    expect(JSON.parse((await events('outbox', '--json')).out)).toMatchObject({
      waiting: 1,
      aside: 2,
      problems: [{ event: '{' }, { event: '[]' }],
    });
  });
});
