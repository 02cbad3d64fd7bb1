import { Agent } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { countEvents } from '../database/events/read.ts';
import { startFrontDoor } from './front-door.ts';
import { type Answer, post, sendAtRate } from './open-loop.ts';
import { useTestDatabase } from './test-database.ts';

/** Sockets that dribble their requests take nothing from honest clients, and are closed. */

const { db, url } = await useTestDatabase();

// More of them by hand: SOCKETS=1000 npx vitest run tests/slow-clients.test.ts
const SOCKETS = Number(process.env['SOCKETS'] ?? 200);
const HEAD = 'POST /create-async HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n';
const BEGINNINGS = {
  nothing: '',
  headers: `${HEAD}X-A: `,
  'a body': `${HEAD}Content-Length: 4000\r\n\r\n`,
  chunks: `${HEAD}Transfer-Encoding: chunked\r\n\r\nfff\r\n`,
};

interface Dribbled {
  what: string;
  closedAfterMs: number;
  said: string;
}

/** A byte a second after `beginning`, until the other side closes. */
async function dribble(port: number, what: keyof typeof BEGINNINGS): Promise<Dribbled> {
  const socket = connect(port, '127.0.0.1').setEncoding('latin1');
  const startedAt = performance.now();
  let said = '';
  socket.on('data', (piece) => {
    said += piece;
  });
  socket.on('error', () => {}); // a reset closes as well
  socket.write(BEGINNINGS[what]);
  const drip = what === 'nothing' ? undefined : setInterval(() => socket.write(' '), 1_000);
  await new Promise((resolve) => socket.once('close', resolve)); // events.once would reject at a reset
  clearInterval(drip);
  return { what, said, closedAfterMs: performance.now() - startedAt };
}

test('slow sockets are closed within 15 s, at a producer and at nginx, while others are served', async () => {
  await using front = await startFrontDoor(url);
  const served = await Promise.all([serveAmidSlowClients(front.producerPorts[0]!), serveAmidSlowClients(front.port)]);
  expect(await countEvents(db)).toBe(served[0] + served[1]);
});

/** Resolves to the number of events that were created meanwhile. */
async function serveAmidSlowClients(port: number): Promise<number> {
  const kinds = Object.keys(BEGINNINGS) as (keyof typeof BEGINNINGS)[];
  const slow = Promise.all(Array.from({ length: SOCKETS }, (_, n) => dribble(port, kinds[n % kinds.length]!)));
  const agent = new Agent({ keepAlive: true });
  onTestFinished(() => agent.destroy());
  const honest: Promise<Answer>[] = [];
  const load = new AbortController();
  const loading = sendAtRate(100, () => void honest.push(post(agent, port, '/create-async')), load.signal);
  const closed = await Promise.race([slow, sleep(20_000, [])]);
  load.abort();
  await loading;
  const answers = await Promise.all(honest);
  agent.destroy();

  expect(closed).toHaveLength(SOCKETS);
  for (const { what, closedAfterMs, said } of closed) {
    expect(closedAfterMs, what).toBeLessThan(15_000);
    expect(closedAfterMs, what).toBeGreaterThan(9_000); // not refused for something else
    if (said !== '') expect(said).toMatch(/^HTTP\/1\.1 408 /);
  }
  const created = answers.filter(({ status }) => status === 202).length;
  expect(created).toBeGreaterThan(500);
  // The disk may stand still for longer than a create waits. That is not their doing.
  const refused = answers.filter(
    ({ status, body }) => status !== 202 && !body.includes('Too many creates are waiting'),
  );
  expect(refused).toEqual([]);
  return created;
}
