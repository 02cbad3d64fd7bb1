import { Agent } from 'node:http';
import { sql } from 'kysely';
import { expect, onTestFinished, test } from 'vitest';
import { countEvents } from '../database/events/read.ts';
import { startFrontDoor } from './front-door.ts';
import { type Answer, post, sendAtRate, tally } from './open-loop.ts';
import { useTestDatabase } from './test-database.ts';

const { db, url } = await useTestDatabase();

// Longer by hand: OVERLOAD_SECONDS=20 npx vitest run tests/overload.test.ts
const SECONDS = Number(process.env['OVERLOAD_SECONDS'] ?? 5);
// Five creates in each transaction, and five transactions a second: so little that 20 times as much tires no client.
const CREATE_BATCH = 5;
const TRANSACTION_SECONDS = 0.2;
const CAPACITY = CREATE_BATCH / TRANSACTION_SECONDS;

test('at 20 times its capacity a producer soon refuses what it cannot take, and creates as fast as before', async () => {
  await sql
    .raw(`CREATE TRIGGER slow BEFORE UPDATE ON DBStatus FOR EACH ROW DO SLEEP(${TRANSACTION_SECONDS})`)
    .execute(db);
  onTestFinished(async () => {
    await sql`DROP TRIGGER slow`.execute(db);
  });
  await using front = await startFrontDoor(url, { producers: 1, env: { CREATE_BATCH: String(CREATE_BATCH) } });
  const peak = await createdUnder(front.port, CAPACITY * 1.2);
  const overload = await createdUnder(front.port, CAPACITY * 20);
  expect(peak.perSecond).toBeGreaterThan(CAPACITY / 2);
  expect(overload.perSecond).toBeGreaterThan(peak.perSecond * 0.7);
  expect(overload.refused.length).toBeGreaterThan(overload.created.length * 10);
  // Not after its own 500 ms, where other tests use the processors as well, but long before a client gives up.
  const times = overload.refused.map(({ ms }) => ms).toSorted((a, b) => a - b);
  expect(times[times.length >> 1]).toBeLessThan(5_000);
  for (const { headers, body } of overload.refused) {
    expect(headers['retry-after']).toBe('1');
    expect(JSON.parse(body)).toMatchObject({
      status: 503,
      detail: 'Too many creates are waiting. Nothing was created.',
    });
  }
  expect(await countEvents(db)).toBe(peak.created.length + overload.created.length);
});

async function createdUnder(port: number, perSecond: number) {
  const agent = new Agent({ keepAlive: true });
  const answers: Promise<Answer>[] = [];
  const signal = AbortSignal.timeout(SECONDS * 1_000);
  await sendAtRate(perSecond, () => void answers.push(post(agent, port, '/create-async')), signal);
  const all = await Promise.all(answers);
  agent.destroy();
  const created = all.filter(({ status }) => status === 202);
  const refused = all.filter(({ status }) => status === 503);
  expect(created.length + refused.length, JSON.stringify(tally(all.map(({ status }) => String(status))))).toBe(
    all.length,
  );
  return { created, refused, perSecond: created.length / SECONDS };
}
