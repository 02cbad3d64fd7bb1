import { once } from 'node:events';
import { connect } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { countEvents, findEvent } from '../../database/events/read.ts';
import { fillAll, startTestApp } from '../../tests/producer-app.ts';
import { useTestDatabase } from '../../tests/test-database.ts';
import { createBodyLimits } from '../routes/new-events-in-body.ts';
import { closeServer } from './close-server.ts';
import { type ListenOptions, listen, portOf } from './server.ts';

/** What only a real connection shows. */

const { db } = await useTestDatabase();

async function startServer(limits: ListenOptions = {}) {
  const producer = startTestApp(db);
  const server = await listen(producer.app, { bodyLimits: createBodyLimits(65_536), ...limits });
  onTestFinished(() => closeServer(server, { graceMs: 0 }));
  return { ...producer, server, port: portOf(server), url: `http://127.0.0.1:${portOf(server)}` };
}

/** All that the server says to these bytes, until it closes the connection. */
async function say(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1').setEncoding('utf8');
  socket.write(text);
  let answer = '';
  for await (const piece of socket) answer += piece as string;
  return answer;
}

test('a create-sync is answered over a connection, with its headers', async () => {
  const { url, waiting } = await startServer();
  const answer = fetch(`${url}/create-sync`, { method: 'POST' });
  await expect.poll(waiting).toBe(1);
  await fillAll(db, 'palavra');
  const response = await answer;
  expect(response.status).toBe(201);
  const event = (await response.json()) as { id: number };
  expect(event).toEqual({ id: event.id, kind: 'word', valor: 'palavra', status: 'filled' });
  expect(response.headers.get('location')).toBe(`/${event.id}`);
});

test('a client that hangs up is no longer waited for, and its event stays', async () => {
  const { port, waiting } = await startServer();
  const socket = connect(port, '127.0.0.1');
  socket.write('POST /create-sync HTTP/1.1\r\nHost: a\r\n\r\n');
  await expect.poll(waiting).toBe(1);
  const id = await countEvents(db);
  socket.destroy();
  await expect.poll(waiting).toBe(0);
  expect(await findEvent(db, id)).toMatchObject({ status: 'pending' });
});

test.each([
  ['part of a head', 'GET /livez HTTP/1.1\r\n'],
  ['part of a body', 'POST /create-async HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n{'],
  ['what is no request', 'OLÁ\r\n\r\n'],
])('a client that leaves after a create-sync and %s is no longer waited for', async (_, rest) => {
  const { port, waiting } = await startServer();
  const socket = connect(port, '127.0.0.1');
  socket.write(`POST /create-sync HTTP/1.1\r\nHost: a\r\n\r\n${rest}`);
  await expect.poll(waiting).toBe(1);
  socket.end();
  await expect.poll(waiting).toBe(0);
  socket.destroy();
});

test.each([
  ['two lengths', 400, 'Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}'],
  ['a length and chunks', 400, 'Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['a length that is no number', 400, 'Content-Length: x\r\n\r\n{}'],
  ['a folded header', 400, 'X-Folded: a\r\n b\r\n\r\n'],
  ['headers over 16 kB', 431, `X-Long: ${'x'.repeat(17_000)}\r\n\r\n`],
])('a request with %s is answered %i, its connection closed, and nothing created', async (_, status, rest) => {
  const { port } = await startServer();
  const before = await countEvents(db);
  const answer = await say(port, `POST /create-async HTTP/1.1\r\nHost: a\r\n${rest}`);
  expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(answer).toContain('application/problem+json');
  expect(await countEvents(db)).toBe(before);
});

test.each([
  ['a host that is none', 'GET / HTTP/1.1\r\nHost: a^b\r\nConnection: close\r\n\r\n'],
  ['a line that is no request', 'OLÁ\r\n\r\n'],
])('%s is answered 400 with a problem document, and the server goes on', async (_, request) => {
  const { port, url } = await startServer();
  const answer = await say(port, request);
  expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
  expect(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')))).toMatchObject({ type: 'about:blank', status: 400 });
  expect((await fetch(`${url}/livez`)).status).toBe(200);
});

test.each([
  ['by its length', () => 'x'.repeat(100_000)],
  ['in chunks', () => ReadableStream.from(Array.from({ length: 100 }, () => new Uint8Array(1_000).fill(32)))],
])('a body that is too long %s is refused with 413, and nothing is created', async (_, body) => {
  const { url } = await startServer();
  const before = await countEvents(db);
  const headers = { 'Content-Type': 'application/json' };
  const response = await fetch(`${url}/create-sync`, { method: 'POST', headers, body: body(), duplex: 'half' });
  expect(response.status).toBe(413);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(await countEvents(db)).toBe(before);
  expect((await fetch(`${url}/livez`)).status).toBe(200);
});

test('a create-sync is held for longer than a request may take to arrive, and its connection may be idle for longer', async () => {
  const { url, port, waiting } = await startServer({ receiveMs: 100 });
  for (let round = 0; round < 2; round++) {
    const answer = fetch(`${url}/create-sync`, {
      method: 'POST',
      body: '{}',
      headers: { 'Content-Type': 'application/json' },
    });
    await expect.poll(waiting).toBe(1);
    expect(await say(port, 'GET')).toMatch(/^HTTP\/1\.1 408 /); // this long has passed
    await fillAll(db, 'paciência');
    expect((await answer).status).toBe(201);
    expect(await say(port, 'GET')).toMatch(/^HTTP\/1\.1 408 /);
  }
});

test('one connection too many is closed, and the others are served', async () => {
  const { port, url } = await startServer({ connectionLimit: 2 });
  const held = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')];
  await Promise.all(held.map((socket) => once(socket, 'connect')));
  expect(await say(port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n').catch((error: Error) => error.message)).toMatch(
    /^$|ECONNRESET/,
  );
  held[0]!.destroy();
  await expect
    .poll(async () =>
      fetch(`${url}/livez`).then(
        ({ status }) => status,
        () => 0,
      ),
    )
    .toBe(200);
  held[1]!.destroy();
});

test('a port that is in use is named, with the setting that changes it', async () => {
  const { app, port } = await startServer();
  await expect(listen(app, { port })).rejects.toThrow(`port ${port} is in use; choose another with PORT`);
});

test('a closing server answers what is under way and takes nothing new', async () => {
  const { url, port, server, waiting } = await startServer();
  const answer = fetch(`${url}/create-sync`, { method: 'POST' });
  await expect.poll(waiting).toBe(1);
  void closeServer(server, { graceMs: 30_000 });
  const tryToConnect = async () => {
    const socket = connect(port, '127.0.0.1');
    const refusal = once(socket, 'connect').catch((error: NodeJS.ErrnoException) => error.code);
    return refusal.finally(() => socket.destroy());
  };
  await expect.poll(tryToConnect).toBe('ECONNREFUSED');
  await fillAll(db, 'último');
  expect((await answer).status).toBe(201);
});

test('a closing server serves those who had connected and were not accepted yet', async () => {
  const { port, server } = await startServer();
  const sockets = Array.from({ length: 50 }, () => connect(port, '127.0.0.1').setEncoding('utf8'));
  await setImmediate(); // the kernel has them, Node has accepted one at most
  void closeServer(server, { graceMs: 30_000 });
  const answers = sockets.map(async (socket) => {
    socket.write('GET /livez HTTP/1.1\r\nHost: a\r\n\r\n');
    const [answer] = (await once(socket, 'data')) as [string];
    socket.destroy();
    return answer.slice(9, 12);
  });
  expect(await Promise.all(answers)).toEqual(answers.map(() => '200'));
});

test('a closing server serves who connects while a turn of its event loop takes long', async () => {
  const { port, server } = await startServer();
  const connecting = (async () => {
    for (let turn = 0; turn < 3; turn++) await setImmediate();
    const socket = connect(port, '127.0.0.1').setEncoding('utf8'); // the kernel has it from here on
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
    return once(socket.end('GET /livez HTTP/1.1\r\nHost: a\r\n\r\n'), 'data');
  })();
  void closeServer(server, { graceMs: 30_000 });
  expect(await connecting).toEqual([expect.stringMatching(/^HTTP\/1\.1 200 /)]);
});

test('answers are told to close their connections once nobody new is accepted, and not before', async () => {
  const { server } = await startServer();
  const wasListening: boolean[] = [];
  const listeningEnded = () => wasListening.push(server.listening);
  await closeServer(server, { graceMs: 30_000, listeningEnded });
  expect(wasListening).toEqual([false]);
});

test('a draining server is closed once the last request is answered, though its client keeps the connection', async () => {
  const { url, server, waiting, drain } = await startServer();
  const answer = fetch(`${url}/create-sync`, { method: 'POST' });
  await expect.poll(waiting).toBe(1);
  drain();
  let isClosed = false;
  void closeServer(server, { graceMs: 30_000 }).then(() => {
    isClosed = true;
  });
  await fillAll(db, 'último');
  expect((await (await answer).json()) as object).toMatchObject({ valor: 'último' });
  await expect.poll(() => isClosed).toBe(true);
});

test('a closing server still answers on a connection that was idle, and ends it with the answer', async () => {
  const { port, server, drain } = await startServer();
  const socket = connect(port, '127.0.0.1').setEncoding('utf8');
  const pieces = socket[Symbol.asyncIterator]();
  const get = 'GET /livez HTTP/1.1\r\nHost: a\r\n\r\n';
  socket.write(get);
  expect((await pieces.next()).value).toContain('Connection: keep-alive');
  drain();
  const closed = closeServer(server, { graceMs: 30_000 });
  socket.write(get);
  expect((await pieces.next()).value).toMatch(/^HTTP\/1\.1 200 [\s\S]*\bconnection: close/i);
  expect(await pieces.next()).toMatchObject({ done: true });
  await closed;
});

test('a closing server lets an idle connection go after a while, though its client keeps it', async () => {
  const { port, server } = await startServer();
  const socket = connect(port, '127.0.0.1').setEncoding('utf8');
  socket.write('GET /livez HTTP/1.1\r\nHost: a\r\n\r\n');
  await once(socket, 'data');
  const beganAt = performance.now();
  await closeServer(server, { graceMs: 60_000 });
  expect(performance.now() - beganAt).toBeLessThan(20_000);
});

test('a header is seen however many come before it', async () => {
  const { port } = await startServer();
  const before = await countEvents(db);
  const headers = 'a:\r\n'.repeat(2_100);
  const create = `POST /create-async HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${headers}Idempotency-Key: last\r\n\r\n`;
  for (let n = 0; n < 2; n++) expect(await say(port, create)).toMatch(/^HTTP\/1\.1 202 /);
  expect(await countEvents(db)).toBe(before + 1);
});

test('a closing server waits no longer than its grace', async () => {
  const { url, server, waiting } = await startServer();
  const answer = fetch(`${url}/create-sync`, { method: 'POST' });
  const outcome = answer.then(
    () => 'answered',
    () => 'cut off',
  );
  await expect.poll(waiting).toBe(1);
  await closeServer(server, { graceMs: 50 });
  expect(await outcome).toBe('cut off');
});
