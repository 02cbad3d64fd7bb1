import { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { expect, onTestFinished, test } from 'vitest';
import { countEvents } from '../database/events/read.ts';
import { startFrontDoor } from './front-door.ts';
import { type Answer, post, sendAtRate, tally } from './open-loop.ts';
import { fillAll } from './producer-app.ts';
import { useTestDatabase } from './test-database.ts';

const { db, url } = await useTestDatabase();

// More of them by hand: RESTARTS=20 npx vitest run tests/rolling-restart.test.ts
const RESTARTS = Number(process.env['RESTARTS'] ?? 3);
// Where idle connections were closed by the producers, six restarts lost about six requests.
const PER_SECOND = 500;

function keepAliveAgent(): Agent {
  const agent = new Agent({ keepAlive: true });
  onTestFinished(() => agent.destroy());
  return agent;
}

test('producers restarted in turn under 500 creates a second lose no request, though no client repeats one', async () => {
  // A machine that stands still for half a second is no fault of a restart.
  await using front = await startFrontDoor(url, { env: { CREATE_WAIT_MS: '5000' } });
  const agent = keepAliveAgent();
  const load = new AbortController();
  const allAnswered = new AbortController();
  const answers: Promise<[path: string, Answer]>[] = [];
  const send = (n: number) => {
    // One in fifty waits for its word, so that each restart meets some that are held.
    const path = n % 50 === 0 ? '/create-sync' : '/create-async';
    answers.push(post(agent, front.port, path).then((answer) => [path, answer]));
  };
  const loading = sendAtRate(PER_SECOND, send, load.signal);
  const filling = (async () => {
    while (!allAnswered.signal.aborted) {
      await fillAll(db, 'palavra');
      await sleep(300);
    }
  })();

  for (let n = 0; n < RESTARTS; n++) {
    for (const producer of [0, 1]) {
      const before = answers.length;
      const { code, endMs } = await front.restart(producer);
      expect(code).toBe(0);
      expect(endMs).toBeLessThan(30_000);
      expect(answers.length).toBeGreaterThan(before);
      // nginx tries each producer once. Who found this one gone must not find the other gone as well, when it asks there.
      await Promise.all(answers);
    }
  }
  load.abort();
  await loading;
  // Some are on their way still.
  await Promise.all(answers);
  allAnswered.abort();
  await filling;
  const outcomes = (await Promise.all(answers)).map(([path, { status, body }]) => {
    const { detail } = JSON.parse(body || '{}') as { detail?: string };
    return [path, status, detail].join(' ').trim();
  });
  const seen = new Set(outcomes);
  // A held one whose producer stops before its word comes is told its id.
  seen.delete('/create-sync 202');
  expect(front.failures()).toEqual([]);
  expect([...seen].toSorted()).toEqual(['/create-async 202', '/create-sync 201']);
  expect(await countEvents(db)).toBe(answers.length);
  const { rows } = await sql<{ n: number }>`SELECT COUNT(*) AS n FROM Events`.execute(db);
  expect(rows[0]!.n).toBe(answers.length);
}, 600_000);

test('1,000 creates at the moment when idle connections to the producers end lose none', async () => {
  await using front = await startFrontDoor(url);
  const agent = keepAliveAgent();
  const pauseMs = 3_000; // keepalive_timeout of the upstream in nginx.conf
  const lane = async (n: number) => {
    const statuses: string[] = [];
    for (let round = 0; round < 4; round++) {
      if (round > 0) await sleep(pauseMs - 25 + n / 5);
      statuses.push(String((await post(agent, front.port, '/create-async')).status));
    }
    return statuses;
  };
  const statuses = await Promise.all(Array.from({ length: 250 }, (_, n) => lane(n)));
  expect(tally(statuses.flat())).toEqual({ 202: 1_000 });
});
