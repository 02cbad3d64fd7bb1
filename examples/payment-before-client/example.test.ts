import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import type { Database } from '../../database/connect.ts';
import { createEvents } from '../../database/events/create.ts';
import { startExample } from '../../tests/example-system.ts';

const run = promisify(execFile);
/** How long each step takes on a busy machine is not what is tested. */
const LONG = { timeout: 180_000 };

interface Processed {
  id: string;
  looks: number;
  /** From the insert of its client. */
  afterMs: number;
}

async function processedOf(db: Database, clientId: number): Promise<Processed[]> {
  const { rows } = await sql<Processed>`
    SELECT client_payments.id, looks,
      CAST(TIMESTAMPDIFF(MICROSECOND, registered_at, processed_at) DIV 1000 AS SIGNED) AS afterMs
    FROM client_payments JOIN clients ON clients.id = client_id WHERE client_id = ${clientId}`.execute(db);
  return rows;
}

const paymentOf = (clientId: number, id = randomUUID()) => ({
  kind: 'payment',
  key: `client-${clientId}`,
  payload: JSON.stringify({ id, clientId, value: 19.9, operationDate: '2026-01-02' }),
});
const client = (id: number) => ({ kind: 'client', payload: JSON.stringify({ id, name: `Client ${id}` }) });

test('what the README types: a payment waits for its client, and is processed', LONG, async () => {
  const { db, lines } = await startExample('payment-before-client');
  const tries = lines.flatMap((line) => /(DATABASE_URL=\S+ npx node .*?) +#/.exec(line)?.[1] ?? []);
  for (const line of tries) expect((await run('/bin/sh', ['-c', line])).stdout).toMatch(/^event \d: \{"kind"/);
  await expect.poll(async () => (await processedOf(db, 5)).length).toBe(1);
  expect(lines.join('\n')).toMatch(/payment \S+ waits 1 s for client 5/);
});

test('the k-th look is k(k + 1)/2 s after the first, and the registration ends the wait at once', LONG, async () => {
  const { db, lines } = await startExample('payment-before-client');
  const looks: number[] = [];
  const seen = new Set<string>();
  const lookAtLines = setInterval(() => {
    for (const line of lines.filter((one) => one.includes('waits'))) {
      if (!seen.has(line)) looks.push(performance.now());
      seen.add(line);
    }
  }, 5);
  await createEvents(db, [paymentOf(7)]);
  await expect.poll(() => looks.length).toBe(4);
  clearInterval(lookAtLines);
  for (const [k, at] of looks.entries()) {
    const afterMs = at - looks[0]!;
    expect(afterMs).toBeGreaterThan(((k * (k + 1)) / 2) * 1_000 - 50);
    expect(afterMs).toBeLessThan(((k * (k + 1)) / 2) * 1_000 + 3_000);
  }
  // Its fifth look would be four seconds after the fourth.
  await createEvents(db, [client(7)]);
  await expect.poll(() => processedOf(db, 7)).toMatchObject([{ looks: 5 }]);
  const [{ afterMs }] = (await processedOf(db, 7)) as [Processed];
  expect(afterMs).toBeLessThan(3_000);
});

test(
  'with consumers killed all the time none is lost, none is processed twice, and none before its client',
  LONG,
  async () => {
    const { db, kill } = await startExample('payment-before-client', { LEASE_MS: '2000' });
    const clients = Array.from({ length: 20 }, (_, index) => index + 1);
    const sent = clients.flatMap((id) => Array.from({ length: 5 }, () => paymentOf(id)));
    let isOver = false;
    let killed = 0;
    const killing = (async () => {
      while (!isOver) {
        killed += kill(/consumer\/main\.ts/);
        await sleep(1_500);
      }
    })();
    await createEvents(db, sent);
    // All of them a second time.
    await createEvents(db, sent);
    for (const id of clients) {
      await createEvents(db, [client(id)]);
      await sleep(200);
    }
    isOver = true;
    await killing;
    const unfilled = async () => (await sql`SELECT id FROM Events WHERE open = 1`.execute(db)).rows.length;
    await expect.poll(unfilled, { timeout: 30_000 }).toBe(0);
    const processed = (await Promise.all(clients.map((id) => processedOf(db, id)))).flat();
    expect(processed.map(({ id }) => id).toSorted()).toEqual(
      sent.map(({ payload }) => (JSON.parse(payload) as { id: string }).id).toSorted(),
    );
    expect(Math.min(...processed.map(({ afterMs }) => afterMs))).toBeGreaterThanOrEqual(0);
    expect(killed).toBeGreaterThan(3);
  },
);
