import { type ChildProcess, execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'undici';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { spawnChild, stopProcess } from '../start/child-process.ts';
import { freePort } from '../start/free-port.ts';
import { layOutNginx } from '../start/nginx.ts';
import { findProgram } from '../start/programs.ts';

/** The repository's nginx.conf before two stand-ins for producers that say and do what a test asks of them. */

const NGINX = findProgram('nginx')!;
const directory = mkdtempSync(join(tmpdir(), 'event-queue-nginx-'));
const seen: { producer: number; method: string; url: string; requestId: string }[] = [];
let answer: RequestListener;
let producers: Server[];
let nginx: ChildProcess;
let front: string;
let port: number;

beforeAll(async () => {
  producers = [0, 1].map((producer) =>
    createServer({ keepAliveTimeout: 65_000 }, (request, response) => {
      const { method = '', url = '', headers } = request;
      seen.push({ producer, method, url, requestId: String(headers['x-request-id']) });
      answer(request, response);
    }).listen(0, '127.0.0.1'),
  );
  await Promise.all(producers.map((server) => once(server, 'listening')));
  port = await freePort();
  const ports = producers.map((server) => (server.address() as AddressInfo).port);
  nginx = spawnChild(NGINX, layOutNginx(directory, port, ports), { stdio: 'ignore' });
  front = `http://127.0.0.1:${port}`;
  answer = (_, response) => void response.end('ok');
  await vi.waitFor(() => fetch(front), { timeout: 10_000 });
});

afterAll(async () => {
  await stopProcess(nginx, 5_000);
  for (const server of producers) server.close().closeAllConnections();
  rmSync(directory, { recursive: true });
});

beforeEach(() => {
  seen.length = 0;
  answer = (_, response) => void response.end('ok');
});

test('requests go to the producers in turn', async () => {
  for (let n = 0; n < 6; n++) await (await fetch(front)).text();
  expect(seen.filter(({ producer }) => producer === 0)).toHaveLength(3);
});

test('a thousand callers who are answered at once leave connections to the producers that the next thousand use', async () => {
  const callers = 1_000;
  let opened = 0;
  const count = () => opened++;
  for (const server of producers) server.on('connection', count);
  onTestFinished(() => {
    for (const server of producers) server.off('connection', count);
  });
  let arrived = Promise.withResolvers<void>();
  answer = (_, response) => {
    if (seen.length === callers) arrived.resolve();
    void arrived.promise.then(() => response.end('ok'));
  };
  const pool = new Pool(front, { connections: callers });
  onTestFinished(() => pool.destroy());
  const openedIn: number[] = [];
  for (const _ of ['first', 'second', 'third']) {
    seen.length = opened = 0;
    arrived = Promise.withResolvers();
    await Promise.all(
      Array.from({ length: callers }, async () => (await pool.request({ method: 'GET', path: '/' })).body.dump()),
    );
    openedIn.push(opened);
  }
  expect(openedIn[0]).toBeGreaterThan(callers / 2);
  // A few, for the turns of the producers are not the same each time.
  expect(Math.max(...openedIn.slice(1))).toBeLessThan(callers / 5);
});

test('a POST that reached a producer is never sent to another, and its outcome is called unknown', async () => {
  answer = (request) => request.socket.destroy();
  const response = await fetch(`${front}/create-async`, { method: 'POST' });
  expect(seen).toHaveLength(1);
  expect(response.status).toBe(503);
  expect(response.headers.has('retry-after')).toBe(false);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(await response.json()).toMatchObject({ status: 503, outcome: 'unknown', requestId: seen[0]!.requestId });
});

test('a GET that a producer dropped is asked of the other', async () => {
  answer = (request, response) => {
    if (seen.length === 1) request.socket.destroy();
    else response.end('ok');
  };
  const response = await fetch(`${front}/7`);
  expect(response.status).toBe(200);
  expect(seen.map(({ producer }) => producer).toSorted((a, b) => a - b)).toEqual([0, 1]);
});

test('a request id is kept when it is harmless, and given when there is none', async () => {
  await fetch(front, { headers: { 'X-Request-Id': 'order-17' } });
  await fetch(front, { headers: { 'X-Request-Id': 'a b"c' } });
  await fetch(front);
  expect(seen[0]!.requestId).toBe('order-17');
  expect(seen[1]!.requestId).toMatch(/^[0-9a-f]{32}$/);
  expect(seen[2]!.requestId).toMatch(/^[0-9a-f]{32}$/);
});

test.each([
  ['the path of nginx’s own problem document', 404, () => fetch(`${front}/problem`)],
  ['a body over 4 kB', 413, () => fetch(front, { method: 'POST', body: 'x'.repeat(5_000) })],
  ['headers over 8 kB', 431, () => fetch(front, { headers: { 'X-Long': 'x'.repeat(9_000) } })],
  ['a path over 8 kB', 414, () => fetch(`${front}/${'1'.repeat(9_000)}`)],
])('%s is refused with a problem document before any producer sees it', async (_, status, send) => {
  const response = await send();
  expect(response.status).toBe(status);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(await response.json()).toMatchObject({ type: 'about:blank', status });
  expect(seen).toEqual([]);
});

/** What browsers are told not to do. */
const headersOf = ({ headers }: Response) =>
  ['x-content-type-options', 'referrer-policy', 'content-security-policy', 'cache-control'].map((name) =>
    headers.get(name),
  );
const STRICT = ['nosniff', 'no-referrer', "default-src 'none'; frame-ancestors 'none'", 'no-store'];

test.each<[string, () => Promise<Response>]>([
  ['of a producer', () => fetch(`${front}/7`)],
  ['with an error of a producer', () => fetch(`${front}/8`)],
  ['of nginx itself', () => fetch(front, { method: 'POST', body: 'x'.repeat(5_000) })],
  ['that no producer gave', () => fetch(`${front}/9`, { method: 'POST' })],
])('an answer %s is not kept, not framed and not taken for something else', async (_, ask) => {
  answer = (request, response) => {
    if (request.url === '/9') request.socket.destroy();
    else response.writeHead(request.url === '/7' ? 200 : 500).end('ok');
  };
  expect(headersOf(await ask())).toEqual(STRICT);
});

test('the page for people keeps its own policy, and its files may be kept', async () => {
  answer = (request, response) => {
    if (request.url === '/docs') response.setHeader('Content-Security-Policy', "default-src 'self'");
    response.end('ok');
  };
  expect(headersOf(await fetch(`${front}/docs`))).toEqual(['nosniff', 'no-referrer', "default-src 'self'", 'no-store']);
  expect(headersOf(await fetch(`${front}/docs/swagger-ui.css`)).at(-1)).toBeNull();
});

test.each([
  ['two hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
  [
    'a length and chunks',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  ['no host', 'GET / HTTP/1.1\r\n\r\n'],
])('a request with %s is refused and its connection closed', async (_, request) => {
  const socket = connect(port, '127.0.0.1').setEncoding('utf8');
  socket.write(request);
  let text = '';
  for await (const chunk of socket) text += chunk as string;
  expect(text).toMatch(/^HTTP\/1\.1 400 /);
  expect(text).toContain('application/problem+json');
  expect(seen).toEqual([]);
});

test('when no producer listens, nobody waits: 503 and come again', async () => {
  const lonely = mkdtempSync(join(tmpdir(), 'event-queue-nginx-'));
  const lonelyPort = await freePort();
  const server = spawnChild(NGINX, layOutNginx(lonely, lonelyPort, [await freePort(), await freePort()]));
  try {
    const response = await vi.waitFor(() => fetch(`http://127.0.0.1:${lonelyPort}/1`), { timeout: 10_000 });
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
    const created = await fetch(`http://127.0.0.1:${lonelyPort}/create-async`, { method: 'POST' });
    expect(created.headers.get('retry-after')).toBe('1');
    expect(await created.json()).not.toHaveProperty('outcome');
  } finally {
    await stopProcess(server, 5_000);
    rmSync(lonely, { recursive: true });
  }
});

const version = spawnSync(NGINX, ['-v'], { encoding: 'utf8' }).stderr;

/** `server … resolve` came with nginx 1.27.3; Debian 12 has 1.22, whose users run npm start rather than compose. */
function knowsResolve(): boolean {
  const [, minor = 0, patch = 0] = (/nginx\/(\d+\.\d+\.\d+)/.exec(version)?.[1] ?? '').split('.').map(Number);
  return minor > 27 || (minor === 27 && patch >= 3);
}

test.runIf(knowsResolve())('the same nginx.conf with the site of docker compose is accepted by nginx', () => {
  const composed = mkdtempSync(join(tmpdir(), 'event-queue-nginx-'));
  cpSync('nginx/nginx.conf', join(composed, 'nginx.conf'));
  cpSync('nginx/compose', join(composed, 'site'), { recursive: true });
  const args = ['-t', '-p', composed, '-c', join(composed, 'nginx.conf'), '-e', 'stderr', '-g', `pid ${composed}/pid;`];
  execFileSync(NGINX, args);
  rmSync(composed, { recursive: true });
});
