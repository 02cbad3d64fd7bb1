import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { spawnChild, stopProcess } from '../start/child-process.ts';
import { freePort } from '../start/free-port.ts';
import { nginxArgs } from '../start/nginx.ts';
import { findProgram } from '../start/programs.ts';
import { codeBlocks } from './markdown.ts';
import { copyScaleSite, writeScaleAddresses } from './scale-site.ts';

/** "Another queue" of docs/scale.md: nginx before stand-ins for producers, which say their queue. */

const NGINX = findProgram('nginx')!;
const slices = codeBlocks(readFileSync('docs/scale.md', 'utf8')).find(({ language }) => language === 'nginx');
const keys = Array.from({ length: 200 }, (_, n) => `client-${n}`);
const undo = new AsyncDisposableStack();
let ports: number[][];
/** Of each key, with two queues. */
let before: number[];

beforeAll(async () => {
  ports = await Promise.all(
    [0, 1, 2].map(async (queue) => {
      const producer = createServer((_, response) => response.end(String(queue))).listen(0, '127.0.0.1');
      undo.defer(() => producer.close().closeAllConnections());
      await once(producer, 'listening');
      return [(producer.address() as AddressInfo).port];
    }),
  );
  before = await queuesOf(await startNginx((queues) => queues));
});
afterAll(() => undo.disposeAsync());

/** The address of an nginx whose queues.conf is changed so. */
async function startNginx(change: (queues: string) => string): Promise<string> {
  const directory = copyScaleSite();
  undo.defer(() => rmSync(directory, { recursive: true }));
  const port = await freePort();
  writeScaleAddresses(directory, port, ports);
  const file = join(directory, 'site/queues.conf');
  writeFileSync(file, change(readFileSync(file, 'utf8')));
  const nginx = spawnChild(NGINX, nginxArgs(directory), { stdio: 'ignore' });
  undo.defer(() => stopProcess(nginx, 5_000));
  await vi.waitFor(() => fetch(`http://127.0.0.1:${port}/livez`), { timeout: 10_000 });
  return `http://127.0.0.1:${port}`;
}

/** With a third queue, whose slices lead to the upstream of this name. */
const withThird = (name: string, upstream: string) => (queues: string) =>
  queues.replace(/split_clients[\s\S]*?\n}\n/, slices!.code.replaceAll('queue-2', name)) +
  `upstream ${name} { ${upstream} }\n`;

const create = (front: string, key: string) =>
  fetch(`${front}/create-async`, { method: 'POST', headers: { 'Event-Key': key } });
const queuesOf = (front: string) =>
  Promise.all(keys.map(async (key) => Number(await (await create(front, key)).text())));

test('a third of the keys moves to the third queue, about as many of each, and no key moves between the others', async () => {
  const after = await queuesOf(await startNginx(withThird('queue-2', 'include site/queue-2.conf;')));
  const moved = keys.flatMap((_, n) => (before[n] === after[n] ? [] : [{ from: before[n], to: after[n] }]));
  expect(moved.filter(({ to }) => to !== 2)).toEqual([]);
  for (const queue of [0, 1]) {
    const share = moved.filter(({ from }) => from === queue).length / keys.length;
    expect(share).toBeGreaterThan(0.1);
    expect(share).toBeLessThan(0.23);
  }
});

test('while keys move, creates of theirs are answered 503, and those of all others are served', async () => {
  const front = await startNginx(withThird('queue-moving', 'server 127.0.0.1:1 down;'));
  let refused = 0;
  await Promise.all(
    keys.map(async (key, n) => {
      const response = await create(front, key);
      const body = await response.text();
      if (response.status === 200) return expect(Number(body)).toBe(before[n]);
      refused++;
      expect(response.status).toBe(503);
      expect(response.headers.get('retry-after')).toBe('1');
      expect(JSON.parse(body)).not.toHaveProperty('outcome');
    }),
  );
  expect(refused).toBeGreaterThan(40);
});
