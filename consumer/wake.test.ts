import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { createEvents } from '../database/events/create.ts';
import { wake } from '../database/events/wake.ts';
import { defineHandlers } from '../handlers/define-handlers.ts';
import type { HandlerInput, UserTransaction } from '../handlers/handler.ts';
import { done, later } from '../handlers/outcome.ts';
import { useTestDatabase } from '../tests/test-database.ts';
import { createWorker } from '../tests/test-worker.ts';

/** A payment waits for its client, whose registration wakes it: the wake is never lost between a look and its `later`. */

const { db } = await useTestDatabase();

beforeAll(() => sql`CREATE TABLE clients (id INT PRIMARY KEY) ENGINE = InnoDB`.execute(db));
beforeEach(() => sql`DELETE FROM clients`.execute(db));
afterAll(() => sql`DROP TABLE clients`.execute(db));

const HOUR_MS = 3_600_000;
const PAYMENT = { kind: 'payment', key: 'client-1' };

type AfterLook = () => Promise<void>;

async function look(trx: UserTransaction, looks: number[], afterLook: AfterLook) {
  const { rows } = await sql<{ clients: number }>`SELECT COUNT(*) AS clients FROM clients`.execute(trx);
  looks.push(rows[0]!.clients);
  await afterLook();
  return rows[0]!.clients === 0 ? later(HOUR_MS) : 'paid';
}

const styles = {
  handle: (looks: number[], afterLook: AfterLook) => ({ handle: () => look(db as UserTransaction, looks, afterLook) }),
  inTransaction: (looks: number[], afterLook: AfterLook) => ({
    inTransaction: (_: HandlerInput, trx: UserTransaction) => look(trx, looks, afterLook),
  }),
};

const register = (between: () => Promise<unknown> = async () => {}) => ({
  client: () =>
    done('registered', async (trx) => {
      await sql`INSERT INTO clients VALUES (1)`.execute(trx);
      await wake(trx, 'payment', 'client-1');
      await between();
    }),
});

/** Works until the test is over. */
function work(handlers: Parameters<typeof defineHandlers>[0]) {
  const { run, report } = createWorker(db, [...defineHandlers(handlers).kinds], { once: false });
  const stop = new AbortController();
  const running = run(stop.signal);
  onTestFinished(async () => {
    stop.abort();
    await running;
  });
  return report;
}

test.each(['handle', 'inTransaction'] as const)(
  '%s: the look, the registration, and only then the later',
  async (style) => {
    const looks: number[] = [];
    const gate = Promise.withResolvers<void>();
    work({ payment: styles[style](looks, () => (looks.length === 1 ? gate.promise : Promise.resolve())) });
    await createEvents(db, [PAYMENT]);
    await vi.waitFor(() => expect(looks).toEqual([0]), 10_000);
    const registered = vi.fn();
    work(register(async () => registered()));
    await createEvents(db, [{ kind: 'client' }]);
    // Behind `inTransaction` the wake waits for the row.
    if (style === 'handle') await vi.waitFor(() => expect(registered).toHaveBeenCalled(), 10_000);
    gate.resolve();
    await vi.waitFor(() => expect(looks).toEqual([0, 1]), 10_000);
  },
);

test.each(['handle', 'inTransaction'] as const)(
  '%s: a payment that is created after the wake, and looks before its commit',
  async (style) => {
    const looks: number[] = [];
    const payments = work({ payment: styles[style](looks, async () => {}) });
    work(
      register(async () => {
        await createEvents(db, [PAYMENT]);
        await vi.waitFor(() => expect(looks).toEqual([0]), 4_000);
        const waits = async () =>
          (await db.selectFrom('Events').select('waits').where('id', '=', 2).executeTakeFirst())?.waits;
        await vi.waitFor(async () => expect(await waits()).toBe(1), 4_000);
      }),
    );
    await createEvents(db, [{ kind: 'client' }]);
    await vi.waitFor(() => expect(looks).toEqual([0, 1]), 10_000);
    await vi.waitFor(() => expect(payments.filled).toHaveBeenCalled(), 10_000);
  },
);

test('a registration that is rolled back wakes nobody', async () => {
  await createEvents(db, [{ ...PAYMENT, delayMs: HOUR_MS }, { kind: 'client' }]);
  const report = work(register(() => Promise.reject(new Error('no'))));
  await vi.waitFor(() => expect(report.failed).toHaveBeenCalled(), 10_000);
  const { due_at } = await db.selectFrom('Events').select('due_at').where('id', '=', 1).executeTakeFirstOrThrow();
  expect(due_at!.getTime()).toBeGreaterThan(Date.now() + HOUR_MS / 2);
});
