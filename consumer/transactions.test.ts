import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { connectDatabase } from '../database/connect.ts';
import { claimEvents } from '../database/events/claim.ts';
import { createEvents } from '../database/events/create.ts';
import { noticesFor } from '../database/events/notices.ts';
import { findEvent } from '../database/events/read.ts';
import { defineHandlers } from '../handlers/define-handlers.ts';
import { type Definition, type HandlerOptions } from '../handlers/definition.ts';
import type { UserTransaction } from '../handlers/handler.ts';
import { dead, done, later } from '../handlers/outcome.ts';
import { useTestDatabase } from '../tests/test-database.ts';
import { createWorker } from '../tests/test-worker.ts';
import type { ConsumerDeps } from './options.ts';

/** What handlers write to tables of their own, in the transaction that fills their event. */

const database = await useTestDatabase();
const { db, letTimePass } = database;

beforeAll(() => sql`CREATE TABLE effects (event_id BIGINT, note VARCHAR(50)) ENGINE = InnoDB`.execute(db));
beforeAll(() => sql`CREATE TABLE accounts (id INT PRIMARY KEY, balance INT) ENGINE = InnoDB`.execute(db));
beforeEach(async () => {
  await sql`DELETE FROM effects`.execute(db);
  await sql`DELETE FROM accounts`.execute(db);
  await sql`INSERT INTO accounts VALUES (1, 0), (2, 0)`.execute(db);
});
afterAll(() => sql`DROP TABLE effects, accounts`.execute(db));

const jobs = (count: number) => Array.from({ length: count }, () => ({ kind: 'job' }));
const row = (id: number) => db.selectFrom('Events').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
const write = (trx: UserTransaction, id: number, note = '') =>
  trx.insertInto('effects').values({ event_id: id, note }).execute();

async function effects(): Promise<number[]> {
  const { rows } = await sql<{ id: number }>`SELECT event_id AS id FROM effects ORDER BY event_id`.execute(db);
  return rows.map(({ id }) => id);
}
async function filled(): Promise<number[]> {
  const rows = await db.selectFrom('Events').select('id').where('valor', 'is not', null).orderBy('id').execute();
  return rows.map(({ id }) => id);
}

type Work = (id: number, trx: UserTransaction, event: { failures: number; attempt: number }) => Promise<unknown>;

/** The same work in both styles. */
const styles = {
  done: (work: Work): Definition => ({
    handle: (event) => done(null, (trx) => work(event.id, trx, event)),
  }),
  inTransaction: (work: Work): Definition => ({
    inTransaction: async (event, trx) => {
      await work(event.id, trx, event);
    },
  }),
};

function workerOf(definition: Definition, options: HandlerOptions = {}, on = db, deps: Partial<ConsumerDeps> = {}) {
  const given = typeof definition === 'function' ? { handle: definition } : definition;
  const { kinds } = defineHandlers({ job: { retryDelayMs: 0, ...given, ...options } as Definition });
  return createWorker(on, [...kinds], deps);
}

describe.each(Object.entries(styles))('with %s', (_, style) => {
  test('each effect is written once, together with the value', async () => {
    await createEvents(db, jobs(30));
    await workerOf(style(write2)).run();
    expect(await filled()).toEqual(Array.from({ length: 30 }, (_item, index) => index + 1));
    expect(await effects()).toEqual(await filled());
    async function write2(id: number, trx: UserTransaction) {
      await write(trx, id);
    }
  });

  test('what fails leaves no effect and is a failure of its event alone', async () => {
    await createEvents(db, jobs(12));
    const { run, report } = workerOf(
      style(async (id, trx) => {
        await write(trx, id);
        if (id === 5) throw new Error('five is refused');
      }),
      { attempts: 2 },
    );
    await run();
    expect(await findEvent(db, 5)).toMatchObject({ status: 'dead' });
    expect(await row(5)).toMatchObject({ failures: 2, last_error: 'five is refused' });
    expect(await filled()).toEqual([1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12]);
    expect(await effects()).toEqual(await filled());
    expect(report.failed).toHaveBeenCalled();
  });

  test('a unique key that the handler meets is its failure', async () => {
    await createEvents(db, jobs(1));
    await workerOf(
      style(async (_id, trx) => {
        await trx.insertInto('accounts').values({ id: 1, balance: 7 }).execute();
      }),
      { attempts: 1 },
    ).run();
    expect((await row(1)).last_error).toMatch(/Duplicate entry/);
  });

  test('a deadlock undoes the whole, also if the handler hides it, and all is done once in the end', async () => {
    await createEvents(db, jobs(10));
    const client = await createConnection({ uri: database.url });
    onTestFinished(() => client.destroy());
    let collisions = 0;
    const { run } = workerOf(
      style(async (id, trx) => {
        await write(trx, id, 'before');
        if (id === 5 && collisions++ === 0) await collide(trx).catch(() => {});
        await write(trx, id, 'after').catch(() => {});
      }),
    );
    await run();
    expect(collisions).toBeGreaterThan(1);
    expect(await filled()).toHaveLength(10);
    expect(await effects()).toEqual((await filled()).flatMap((id) => [id, id]));

    /** The other client has the larger transaction, so that ours is the victim. */
    async function collide(trx: UserTransaction): Promise<void> {
      await trx.updateTable('accounts').set({ balance: 1 }).where('id', '=', 1).execute();
      await client.beginTransaction();
      await client.query('UPDATE accounts SET balance = 2 WHERE id = 2');
      for (let n = 0; n < 50; n++) await client.query('INSERT INTO accounts VALUES (?, 0)', [1_000 + n]);
      const theirs = client.query('UPDATE accounts SET balance = 2 WHERE id = 1');
      try {
        await trx.updateTable('accounts').set({ balance: 1 }).where('id', '=', 2).execute();
      } finally {
        await theirs.catch(() => {});
        await client.rollback();
      }
    }
  });

  test.each([
    'CREATE TABLE stray (id INT)',
    'TRUNCATE accounts',
    'START TRANSACTION',
    '/* hidden */ COMMIT',
    'SET autocommit = 1',
  ])('a statement that would commit is refused, and its event fails alone: %s', async (statement) => {
    await createEvents(db, jobs(6));
    await workerOf(
      style(async (id, trx) => {
        await write(trx, id);
        if (id === 3) await sql.raw(statement).execute(trx);
      }),
      { attempts: 1 },
    ).run();
    expect((await row(3)).last_error).toMatch(/^event 3 may not use [A-Z ]+ in a transaction/);
    expect(await effects()).toEqual([1, 2, 4, 5, 6]);
    expect(await filled()).toEqual([1, 2, 4, 5, 6]);
  });

  test('a forgotten await is an error that names the event, and writes nothing', async () => {
    await createEvents(db, jobs(3));
    const forgotten = Promise.withResolvers<unknown>();
    forgotten.promise.catch(() => {});
    await workerOf(
      style(async (id, trx) => {
        if (id !== 2) return;
        setTimeout(() => void write(trx, id).then(forgotten.resolve, forgotten.reject), 20);
      }),
    ).run();
    await expect(forgotten.promise).rejects.toThrow('event 2 uses its transaction after its handler has ended');
    expect(await effects()).toEqual([]);
    expect(await filled()).toEqual([1, 2, 3]);
  });

  test.each<[string, (trx: UserTransaction) => Promise<unknown>]>([
    [
      'keeps sending statements',
      async (trx) => {
        for (;;) await sql`SELECT SLEEP(0.1)`.execute(trx);
      },
    ],
    ['waits for a lock', (trx) => trx.updateTable('accounts').set({ balance: 1 }).where('id', '=', 1).execute()],
    ['does nothing', () => new Promise(() => {})],
  ])('a handler that %s beyond the limit dies after its attempts, and the others are filled', async (what, hang) => {
    await createEvents(db, jobs(4));
    if (what === 'waits for a lock') {
      const client = await createConnection({ uri: database.url });
      onTestFinished(() => client.destroy());
      await client.beginTransaction();
      await client.query('UPDATE accounts SET balance = 9 WHERE id = 1');
    }
    const impatient = database.connect({ transactionMs: 1_000 });
    const worker = workerOf(
      style(async (id, trx) => {
        await write(trx, id);
        if (id === 2) await hang(trx);
      }),
      { attempts: 2 },
      impatient,
    );
    worker.deps.once = false;
    const stop = new AbortController();
    const running = worker.run(stop.signal);
    await expect.poll(() => row(2), { timeout: 20_000 }).toMatchObject({ failures: 2, due_at: null });
    await expect.poll(filled, { timeout: 20_000 }).toEqual([1, 3, 4]);
    stop.abort();
    await running;
    expect(await effects()).toEqual([1, 3, 4]);
  });

  test('a connection that is killed in the middle costs nothing but time', async () => {
    await createEvents(db, jobs(20));
    let kills = 0;
    await workerOf(
      style(async (id, trx) => {
        await write(trx, id);
        if (id % 7 !== 0 || kills > 2) return;
        kills++;
        const { rows } = await sql<{ id: number }>`SELECT CONNECTION_ID() AS id`.execute(trx);
        await sql.raw(`KILL ${rows[0]!.id}`).execute(db);
        await write(trx, id);
      }),
    ).run();
    expect(kills).toBeGreaterThan(1);
    expect(await filled()).toHaveLength(20);
    expect(await effects()).toEqual(await filled());
  });

  test('the transaction is under READ COMMITTED, on a connection beside those of the pool', async () => {
    await createEvents(db, jobs(5));
    const narrow = database.connect({ poolSize: 2 });
    const isolations = new Set<string>();
    await workerOf(
      style(async (id, trx) => {
        const { rows } = await sql<{ Value: string }>`SHOW VARIABLES LIKE 't%_isolation'`.execute(trx);
        for (const { Value } of rows) isolations.add(Value);
        // Of the same pool, while the transaction is open.
        if (id <= 5) await createEvents(narrow, [{}]);
      }),
      {},
      narrow,
    ).run();
    expect([...isolations]).toEqual(['READ-COMMITTED']);
    expect(await filled()).toHaveLength(5);
  });
});

test('as many transactions run at once as may, without waiting for a poll', async () => {
  await createEvents(db, jobs(9));
  let running = 0;
  const most: number[] = [];
  const inTransaction = async ({ id }: { id: number }) => {
    most.push(++running);
    if (id === 2) await vi.waitFor(() => expect(most).toContain(2), 900).catch(() => {});
    running--;
  };
  const { run } = workerOf({ inTransaction, batch: 2 }, { concurrency: 2 }, db, { pollMs: 60_000 });
  await run();
  expect(await filled()).toHaveLength(9);
  expect(Math.max(...most)).toBe(2);
});

test('an event that runs alone makes nobody claim in a loop', async () => {
  await createEvents(db, jobs(2));
  const { kinds } = defineHandlers({
    job: { inTransaction: ({ id }) => (id === 1 ? sleep(500, null) : null) },
    other: () => null,
  });
  const statements = vi.spyOn(db.getExecutor(), 'executeQuery');
  onTestFinished(() => statements.mockRestore());
  await createWorker(db, [...kinds], { pollMs: 50, once: false }).run(AbortSignal.timeout(450));
  expect(statements.mock.calls.filter(([{ sql: text }]) => text.includes('claim_events')).length).toBeLessThan(150); // polls of 5 ms
  expect(await filled()).toContain(1);
});

test('what comes while a transaction runs does not wait for its end', async () => {
  await createEvents(db, jobs(3));
  const seen: number[] = [];
  const end = Promise.withResolvers<void>();
  const inTransaction = async ({ id }: { id: number }) => {
    seen.push(id);
    if (id === 3) await end.promise;
  };
  const { run } = workerOf({ inTransaction }, {}, db);
  const running = run();
  await vi.waitFor(() => expect(seen).toContain(3), 5_000);
  await sleep(200); // another transaction has found nothing beside it
  await createEvents(db, jobs(1));
  await expect.poll(filled, { timeout: 2_000 }).toContain(4);
  end.resolve();
  await running;
});

test('after a create in the same process the transaction begins without a claim', async () => {
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const { run } = workerOf({ inTransaction: () => null }, {}, db, { once: false, pollMs: 60_000 });
  const running = run(stop.signal);
  const statements = vi.spyOn(db.getExecutor(), 'executeQuery');
  onTestFinished(() => statements.mockRestore());
  const claimsBeforeItsFill = async () => {
    const isFilled = once(noticesFor(db), 'filled');
    statements.mockClear();
    await createEvents(db, jobs(1));
    await isFilled;
    return statements.mock.calls.filter(([{ sql: text }]) => text.includes('claim_events')).length;
  };
  await claimsBeforeItsFill(); // a process that starts takes its first event by a claim
  // On a busy machine the last claim may be too long ago.
  await expect.poll(claimsBeforeItsFill).toBe(0);
  stop.abort();
  await running;
});

test('an effect is not written by a claim that somebody else has by then', async () => {
  await createEvents(db, jobs(1));
  let calls = 0;
  const { kinds } = defineHandlers({
    job: {
      concurrency: 1, // so that it claims nothing meanwhile
      handle: async ({ id }) => {
        if (calls++ > 0) return 'second';
        await letTimePass();
        await claimEvents(db, { claimedBy: 'b', leaseMs: 60_000, kinds: [{ kind: 'job', limit: 1, maxFailures: 5 }] });
        return done('first', (trx) => write(trx, id));
      },
    },
  });
  const { run, report } = createWorker(db, [...kinds]);
  await run();
  expect(await effects()).toEqual([]);
  expect(await row(1)).toMatchObject({ claimed_by: 'b', failures: 1, valor: null });
  expect(report.filled).toHaveBeenCalledWith([], 1, expect.any(Number));
});

test.each(Object.entries(styles))('with %s, work that outlives its lease leaves no effect behind', async (_, style) => {
  await createEvents(db, jobs(1));
  let calls = 0;
  const isOver = async () => expect((await row(1)).lease_until.getTime()).toBeLessThan(Date.now());
  const definition = style(async (id, trx) => {
    await write(trx, id);
    if (calls++ === 0) await vi.waitFor(isOver, 5_000);
  });
  const worker = workerOf(definition, { attempts: 100 }, db, { leaseMs: 500, once: false });
  const stop = new AbortController();
  const running = worker.run(stop.signal);
  await expect.poll(filled, { timeout: 20_000 }).toEqual([1]);
  stop.abort();
  await running;
  expect(calls).toBeGreaterThan(1);
  expect(await effects()).toEqual([1]);
});

test('inTransaction fills many in one transaction, with the outcome of each: values, later, dead', async () => {
  await createEvents(db, [...jobs(40), { kind: 'job', key: 'k' }, { kind: 'job', key: 'k' }]);
  const { run, report } = workerOf({
    inTransaction: async ({ id, waits }, trx) => {
      await write(trx, id);
      if (id === 10 && waits === 0) return later(0);
      return id === 11 ? dead('eleven') : { id };
    },
  });
  await run();
  expect(await row(10)).toMatchObject({ waits: 1, failures: 0, valor: '{"id":10}' });
  expect(await row(11)).toMatchObject({ dead_reason: 'eleven', failures: 1, valor: null });
  expect(await filled()).toHaveLength(41);
  expect(await effects()).toEqual(await filled());
  // The first comes alone.
  expect(report.filled.mock.calls[0]![0]).toHaveLength(1);
  expect(Math.max(...report.filled.mock.calls.map(([fills]) => fills.length))).toBeGreaterThan(3);
});

test('an event that takes its process down in a transaction is marked by the next, and dies after its attempts', async () => {
  await createEvents(db, jobs(2));
  // As processes that die: each claims the first event singly, and leaves it to its lease.
  for (let process = 1; process <= 2; process++) {
    const seen: number[] = [];
    const gone = new AbortController();
    const theirs = connectDatabase({ url: database.url, transactionMs: 60_000 });
    const worker = workerOf(
      { inTransaction: ({ id }) => (id === 1 ? (seen.push(id), new Promise(() => {})) : 'good') },
      { attempts: 2 },
      theirs,
    );
    void worker.run(gone.signal);
    await vi.waitFor(() => expect(seen).toEqual([1]), 5_000);
    expect(await row(1)).toMatchObject({ processing: 1, attempts: process });
    gone.abort();
    await theirs.destroy();
    await letTimePass();
  }
  await workerOf({ inTransaction: async () => 'good' }, { attempts: 2 }).run();
  expect(await row(1)).toMatchObject({ last_error: 'its consumers died', failures: 2, valor: null });
  expect(await row(2)).toMatchObject({ valor: '"good"' });
});

test.each([
  ['one blames no event', 1, []],
  [
    'two soon after each other are a loss',
    2,
    [['a transaction of job was lost; its events come one at a time now', expect.any(Error)]],
  ],
])('of deadlocks of a transaction of many, %s, and all is done in the end', async (_, deadlocks, troubles) => {
  await createEvents(db, jobs(10));
  let left = deadlocks;
  const { run, report } = workerOf(
    styles.inTransaction(async (id, trx) => {
      await write(trx, id);
      if (id === 8 && left-- > 0) await sql`SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213`.execute(trx);
    }),
  );
  await run();
  expect(await effects()).toEqual(jobs(10).map((_job, index) => index + 1));
  expect(await filled()).toEqual(await effects());
  expect(report.trouble.mock.calls).toEqual(troubles);
});

test('of many in one transaction, a few processes find the event that takes them down', async () => {
  await createEvents(db, jobs(20));
  let processes = 0;
  while ((await row(14)).attempts === 0) {
    processes++;
    const reached = Promise.withResolvers<void>();
    const gone = new AbortController();
    const theirs = connectDatabase({ url: database.url, transactionMs: 60_000 });
    const inTransaction = ({ id }: { id: number }) =>
      id === 14 ? (reached.resolve(), new Promise<never>(() => {})) : 1;
    void workerOf({ inTransaction }, { concurrency: 1 }, theirs).run(gone.signal);
    await reached.promise;
    gone.abort();
    await theirs.destroy();
    await expect.poll(() => db.selectFrom('Events').select('id').forUpdate().execute()).toHaveLength(20);
  }
  expect(processes).toBe(4);
  expect(await filled()).toEqual(Array.from({ length: 13 }, (_item, index) => index + 1));
});

test('a client of the course system consumes words beside inTransaction', async () => {
  await createEvents(
    db,
    Array.from({ length: 60 }, () => ({})),
  );
  const client = await createConnection({ uri: database.url });
  onTestFinished(() => client.destroy());
  const { kinds } = defineHandlers({ word: { batch: 5, inTransaction: async () => 'nossa' } });
  const running = createWorker(db, [...kinds]).run();
  for (let n = 0; n < 20; n++) {
    await client.beginTransaction();
    const [rows] = await client.query<(RowDataPacket & { id: number })[]>(
      "SELECT id FROM Events WHERE (valor IS NULL OR valor = '') AND processing = 0 LIMIT 1 FOR UPDATE SKIP LOCKED",
    );
    for (const { id } of rows) await client.query('UPDATE Events SET processing = 1 WHERE id = ?', [id]);
    await client.commit();
    for (const { id } of rows)
      await client.query("UPDATE Events SET valor = 'deles', processing = 0 WHERE id = ?", [id]);
  }
  await running;
  await expect.poll(filled).toHaveLength(60);
});
