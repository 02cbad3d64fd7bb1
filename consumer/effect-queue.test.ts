import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { claimEvents } from '../database/events/claim.ts';
import { createEvents } from '../database/events/create.ts';
import { searchLog } from '../database/events/log.ts';
import { TransactionLostError } from '../database/transaction-session.ts';
import { transactionsFor } from '../database/transactions.ts';
import type { UserTransaction } from '../handlers/handler.ts';
import { connectForeignClient } from '../tests/foreign-client.ts';
import { useTestDatabase } from '../tests/test-database.ts';
import { createWorker, singleHandler } from '../tests/test-worker.ts';
import { type EffectJob, writeEffectGroup } from './effect-group.ts';
import { createEffectQueue } from './effect-queue.ts';
import { toHeldEvent } from './held-event.ts';

const database = await useTestDatabase();
const { db, letTimePass } = database;

beforeAll(() =>
  sql`CREATE TABLE effects (event_id BIGINT, note VARCHAR(50), colour ENUM('red')) ENGINE = InnoDB`.execute(db),
);
beforeEach(() => sql`DELETE FROM effects`.execute(db));
afterAll(() => sql`DROP TABLE effects`.execute(db));

const handler = singleHandler(() => Promise.reject(new Error('it is not called')), { log: 'all' });
const deps = { db, claimedBy: 'a', giveUp: new AbortController().signal };

async function claim(count: number) {
  await createEvents(
    db,
    Array.from({ length: count }, () => ({ kind: 'job' })),
  );
  const kinds = [{ kind: 'job', limit: 1_000, maxFailures: 5 }];
  const [result] = await claimEvents(db, { claimedBy: 'a', leaseMs: 30_000, kinds });
  return result!.claims.map((one) => toHeldEvent(one, 'job', performance.now()));
}

type Work = (id: number, trx: UserTransaction) => Promise<unknown>;
const write: Work = (id, trx) => trx.insertInto('effects').values({ event_id: id }).execute();

const toJobs = (events: Awaited<ReturnType<typeof claim>>, work: Work = write): EffectJob[] =>
  events.map((event) => ({ event, valor: `${event.id}`, effect: (trx) => work(event.id, trx) }));

async function effects(): Promise<number[]> {
  const { rows } = await sql<{ id: number }>`SELECT event_id AS id FROM effects ORDER BY event_id`.execute(db);
  return rows.map(({ id }) => id);
}
async function filled(): Promise<number[]> {
  const rows = await db.selectFrom('Events').select('id').where('valor', 'is not', null).orderBy('id').execute();
  return rows.map(({ id }) => id);
}
const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);

/** What became of each event: `filled`, `lost`, or its failure. */
const said = (outcome: object | undefined) =>
  outcome && ('written' in outcome ? outcome.written : (outcome as { failure: string }).failure);

describe('in one transaction', () => {
  const group = async (jobs: EffectJob[]) => {
    const outcomes = await writeEffectGroup(deps, handler, jobs);
    return jobs.map((job) => said(outcomes.get(job)));
  };

  test('effects are written with their values, and their lines in the log', async () => {
    expect(await group(toJobs(await claim(3)))).toEqual(['filled', 'filled', 'filled']);
    expect(await effects()).toEqual([1, 2, 3]);
    expect(await filled()).toEqual([1, 2, 3]);
    expect(await searchLog(db)).toMatchObject([1, 2, 3].map((id) => ({ id, outcome: 'filled', text: `${id}` })));
  });

  test('what fails is undone alone', async () => {
    const jobs = toJobs(await claim(3), async (id, trx) => {
      await write(id, trx);
      if (id === 2) throw new Error('two is refused');
    });
    expect(await group(jobs)).toEqual(['filled', 'two is refused', 'filled']);
    expect(await effects()).toEqual([1, 3]);
    expect(await filled()).toEqual([1, 3]);
  });

  test('a claim that is lost has no turn', async () => {
    const jobs = toJobs(await claim(3));
    await sql`UPDATE Events SET lease_until = UTC_TIMESTAMP(3) WHERE id = 2`.execute(db);
    expect(await group(jobs)).toEqual(['filled', undefined, 'filled']);
    expect(await effects()).toEqual([1, 3]);
  });

  test('an event that another connection has locked is passed over, and holds nobody up', async () => {
    const jobs = toJobs(await claim(3));
    const stranger = await connectForeignClient(database.url);
    await stranger.beginTransaction();
    await stranger.query('SELECT id FROM Events FORCE INDEX (PRIMARY) WHERE id = 2 FOR UPDATE');
    const startedAt = performance.now();
    expect(await group(jobs)).toEqual(['filled', undefined, 'filled']);
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    await stranger.rollback();
  });

  test('a lease that ends before the fill leaves nothing of all of them', async () => {
    const jobs = toJobs(await claim(2), async (id, trx) => {
      await write(id, trx);
      await sql`UPDATE Events SET lease_until = UTC_TIMESTAMP(3) WHERE id = 1`.execute(trx);
    });
    await expect(group(jobs)).rejects.toThrow('a lease was over');
    expect(await effects()).toEqual([]);
    expect(await filled()).toEqual([]);
  });
});

describe('of a queue', () => {
  const countTransactions = () => {
    const spy = vi.spyOn(transactionsFor(db), 'run');
    onTestFinished(() => spy.mockRestore());
    return spy;
  };
  const writeAll = async (jobs: EffectJob[]) => {
    const writeEffect = createEffectQueue(deps, handler);
    return (await Promise.all(jobs.map(writeEffect))).map(said);
  };

  test('quick effects come to share transactions', async () => {
    const jobs = toJobs(await claim(100));
    const { mock } = countTransactions();
    expect(new Set(await writeAll(jobs))).toEqual(new Set(['filled']));
    expect(await effects()).toEqual(upTo(100));
    expect(mock.calls.length).toBeLessThan(50);
  });

  test('slow effects come to have one each, beside each other', async () => {
    let running = 0;
    let most = 0;
    const jobs = toJobs(await claim(24), async (id, trx) => {
      most = Math.max(most, ++running);
      await write(id, trx);
      await sleep(300);
      running--;
    });
    const { mock } = countTransactions();
    await writeAll(jobs);
    expect(await effects()).toEqual(upTo(24));
    // The first two take two each.
    expect(mock.calls.length).toBeGreaterThanOrEqual(22);
    expect(most).toBeGreaterThan(4);
  });

  test('those of a lost transaction are written one by one, each once', async () => {
    let kills = 0;
    const jobs = toJobs(await claim(100), async (id, trx) => {
      await write(id, trx);
      if (id !== 80 || kills++ > 0) return;
      const { rows } = await sql<{ id: number }>`SELECT CONNECTION_ID() AS id`.execute(trx);
      await sql.raw(`KILL ${rows[0]!.id}`).execute(db);
      await write(id, trx);
    });
    expect(new Set(await writeAll(jobs))).toEqual(new Set(['filled']));
    expect(kills).toBe(2);
    expect(await effects()).toEqual(upTo(100));
    expect(await filled()).toEqual(upTo(100));
  });

  test('what a transaction has written whose end was not heard is filled, and not written again', async () => {
    const jobs = toJobs(await claim(100));
    const transactions = transactionsFor(db);
    const { run } = transactions;
    let lost = 0;
    const deaf = vi.spyOn(transactions, 'run').mockImplementation(async (work) => {
      const result = await run(work);
      // Of groups only: those alone are repeated by themselves.
      if (result instanceof Map && result.size > 1 && lost++ === 0) throw new TransactionLostError('not heard');
      return result;
    });
    onTestFinished(() => deaf.mockRestore());
    expect(new Set(await writeAll(jobs))).toEqual(new Set(['filled']));
    expect(lost).toBeGreaterThan(0);
    expect(await effects()).toEqual(upTo(100));
  });

  test('what hangs is given up at a shutdown at once, and holds no row any more', async () => {
    const giveUp = new AbortController();
    const writeEffect = createEffectQueue({ ...deps, giveUp: giveUp.signal }, handler);
    const begun = Promise.withResolvers<void>();
    const jobs = toJobs(await claim(2), async (id, trx) => {
      await write(id, trx);
      if (id !== 2) return;
      begun.resolve();
      await new Promise(() => {});
    });
    const outcomes = jobs.map(writeEffect);
    await begun.promise;
    giveUp.abort();
    const free = sql`SELECT id FROM Events FORCE INDEX (PRIMARY) WHERE id = 1 FOR UPDATE SKIP LOCKED`;
    await expect.poll(async () => (await free.execute(db)).rows, { timeout: 1_500 }).toHaveLength(1);
    expect(await Promise.all(outcomes.map(async (outcome) => said(await outcome)))).not.toContain('filled');
    expect(await effects()).toEqual([]);
  });

  test('one that hangs holds up the others of its transaction for two seconds, and not until the limit of all', async () => {
    const patient = database.connect({ transactionMs: 30_000 });
    const end = Promise.withResolvers<void>();
    const jobs = toJobs(await claim(2), async (id, trx) => {
      await write(id, trx);
      if (id === 1) await end.promise;
    });
    const outcomes = jobs.map(createEffectQueue({ ...deps, db: patient }, handler));
    const startedAt = performance.now();
    expect(said(await outcomes[1])).toBe('filled');
    expect(performance.now() - startedAt).toBeLessThan(20_000);
    end.resolve();
    expect(said(await outcomes[0])).toBe('filled');
    expect(await effects()).toEqual([1, 2]);
  });

  test('a mistake that the server names each time is the failure of its event', async () => {
    const jobs = toJobs(await claim(1), (_id, trx) => sql`INSERT INTO effects (colour) VALUES ('blue')`.execute(trx));
    let calls = 0;
    const [job] = jobs;
    const counted = { ...job!, effect: (trx: UserTransaction) => (calls++, job!.effect(trx)) };
    const [outcome] = await writeAll([counted]);
    expect(outcome).toMatch(/Data truncated for column 'colour'/);
    expect(calls).toBeLessThanOrEqual(5);
  });

  test('a claim that somebody else has by then is lost, and its effect is not written', async () => {
    const events = await claim(2);
    await letTimePass();
    await claimEvents(db, { claimedBy: 'b', leaseMs: 30_000, kinds: [{ kind: 'job', limit: 1, maxFailures: 5 }] });
    expect(await writeAll(toJobs(events))).toEqual(['lost', 'lost']);
    expect(await effects()).toEqual([]);
  });
});

test('at a shutdown all events whose effects hang are given back, those beside them too, and nothing is counted', async () => {
  const begun = Promise.withResolvers<void>();
  await createEvents(
    db,
    Array.from({ length: 6 }, () => ({ kind: 'job' })),
  );
  const hang = singleHandler(async (event) => ({
    valor: '1',
    effect: async (trx) => {
      await write(event.id, trx);
      if (event.id % 2 !== 0) return;
      begun.resolve();
      await new Promise(() => {});
    },
  }));
  const { run, giveUp } = createWorker(db, [hang], { once: false });
  const stop = new AbortController();
  const running = run(stop.signal);
  await begun.promise;
  stop.abort();
  giveUp.abort();
  await running;
  const rows = await db.selectFrom('Events').select(['id', 'processing', 'claimed_by', 'failures', 'valor']).execute();
  for (const row of rows.filter(({ valor }) => valor === null)) {
    expect(row).toMatchObject({ processing: 2, claimed_by: '', failures: 0 });
  }
  expect(rows.filter(({ id, valor }) => id % 2 === 0 && valor !== null)).toEqual([]);
  expect(await effects()).toEqual(await filled());
});
