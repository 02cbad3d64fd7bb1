import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { type ConstantRate, postAtConstantRate } from './constant-rate.ts';

const LATENCY_MS = 100;

async function startServer(
  answerAfterMs: (requests: number) => number,
  status = 202,
  sockets = new Set(),
): Promise<string> {
  let requests = 0;
  const server: Server = createServer((_, response) => {
    void sleep(answerAfterMs(++requests)).then(() => response.writeHead(status).end());
  });
  server.on('connection', (socket) => sockets.add(socket));
  onTestFinished(() => server.closeAllConnections());
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

const post = (url: string, load: Partial<ConstantRate> = {}) =>
  postAtConstantRate(
    { url, rate: 50, seconds: 2, warmUpSeconds: 0, windowSeconds: 1, ...load },
    new AbortController().signal,
  );

test('requests are sent at their rate however slow the answers, and each latency is what a caller saw', async () => {
  const { sent, failed, all, windows } = await post(await startServer(() => LATENCY_MS));
  expect({ sent, failed, answered: all.answered, windows: windows.length }).toEqual({
    sent: 100,
    failed: 0,
    answered: 100,
    windows: 2,
  });
  expect(all.p50).toBeGreaterThanOrEqual(LATENCY_MS - 1);
});

test('no more connections than asked for; what waits for one is sent in the end, and its latency goes on', async () => {
  const sockets = new Set<unknown>();
  const url = await startServer(() => LATENCY_MS, 202, sockets);
  // Four connections answer 40 a second, and in one second 100 are due: the last are sent a second and a half late.
  const { sent, failed, all } = await post(url, { rate: 100, seconds: 1, connections: 4 });
  expect({ sent, failed, answered: all.answered, connections: sockets.size }).toEqual({
    sent: 100,
    failed: 0,
    answered: 100,
    connections: 4,
  });
  expect(all.most).toBeGreaterThan(1_000);
});

test('a stall of the server shows in every request that it delays', async () => {
  let stalledUntil = 0;
  const url = await startServer((requests) => {
    if (requests === 1) stalledUntil = performance.now() + 1_000;
    return Math.max(0, stalledUntil - performance.now());
  });
  const { windows } = await post(url);
  // Half of those that came within that second waited for more than half of it.
  expect(windows[0]!.p50).toBeGreaterThan(400);
});

test('what is sent while warming up is not counted', async () => {
  const { sent, all, windows } = await post(await startServer(() => 0), { seconds: 1, warmUpSeconds: 1 });
  expect({ sent, answered: all.answered, windows: windows.length }).toEqual({ sent: 100, answered: 50, windows: 1 });
});

test('an answer other than 2xx counts as failed, and its latency as nothing', async () => {
  const { sent, failed, firstFailure, all } = await post(await startServer(() => 0, 503), { seconds: 1 });
  expect(firstFailure).toBe('Error: answered 503');
  expect({ sent, failed, answered: all.answered }).toEqual({ sent: 50, failed: 50, answered: 0 });
});
