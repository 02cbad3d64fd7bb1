import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts';

/** A server that answers each line with the same line, and counts them. */
const received: string[] = [];
const server = createServer((socket) => {
  socket.on('error', () => {});
  socket.setEncoding('latin1').on('data', (line: string) => {
    received.push(line);
    socket.write(`re: ${line}`);
  });
});
let proxy: FaultProxy;

beforeAll(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  proxy = await startFaultProxy((server.address() as AddressInfo).port);
});
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  server.close();
});
beforeEach(async () => {
  await proxy.heal();
  received.length = 0;
});

function connections(): Promise<number> {
  return new Promise((resolve) => server.getConnections((_, count) => resolve(count)));
}

async function open() {
  const socket = connect(proxy.port, '127.0.0.1').setEncoding('latin1');
  await once(socket, 'connect');
  const ask = async (line: string) => {
    socket.write(line);
    return (await once(socket, 'data'))[0] as string;
  };
  return { socket, ask };
}

test('without a fault everything passes both ways', async () => {
  const { socket, ask } = await open();
  expect(await ask('one')).toBe('re: one');
  expect(proxy.open()).toBe(1);
  socket.end();
  expect(await text(socket)).toBe('');
});

test('cut ends a connection in order, reset does not', async () => {
  const { socket, ask } = await open();
  await ask('one');
  proxy.cut();
  expect(await text(socket)).toBe('');
  const second = await open();
  await second.ask('two');
  proxy.reset();
  await expect(text(second.socket)).rejects.toMatchObject({ code: 'ECONNRESET' });
});

test('a black hole takes everything and says nothing, until it is healed', async () => {
  const { socket, ask } = await open();
  await ask('before');
  proxy.swallow(true);
  socket.write('lost');
  await expect(Promise.race([once(socket, 'data'), once(socket, 'end'), late(200)])).resolves.toBe('late');
  expect(received).toEqual(['before']);
  const ended = once(socket, 'close');
  const given = await open();
  given.socket.destroy(); // a client that gives up meanwhile must not leave its half behind
  await once(given.socket, 'close');
  proxy.swallow(false);
  await ended;
  await expect.poll(connections).toBe(0);
  expect(await (await open()).ask('after')).toBe('re: after');
});

test('refused is refused at once, and the port is the same afterwards', async () => {
  await proxy.refuse(true);
  await expect(open()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  await proxy.refuse(false);
  expect(await (await open()).ask('back')).toBe('re: back');
});

test('delayed pieces come late and in order', async () => {
  const { socket, ask } = await open();
  await ask('warm');
  proxy.delay(50, 50);
  const startedAt = performance.now();
  let heard = '';
  socket.on('data', (piece: string) => void (heard += piece));
  for (let n = 0; n < 10; n++) {
    socket.write(`${n};`);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await expect.poll(() => heard.match(/\d/g)?.length).toBe(10);
  expect(heard.match(/\d/g)?.join('')).toBe('0123456789');
  expect(performance.now() - startedAt).toBeGreaterThan(99);
});

test('just the reply to a statement that matches can be lost: the server has it, the client is reset', async () => {
  const interception = proxy.intercept({ pattern: /CALL/, side: 'reply', act: () => 'drop' });
  const { socket, ask } = await open();
  expect(await ask('SELECT 1')).toBe('re: SELECT 1');
  socket.write('CALL x');
  await expect(text(socket)).rejects.toMatchObject({ code: 'ECONNRESET' });
  expect(received).toEqual(['SELECT 1', 'CALL x']);
  expect([interception.matched(), interception.stopped()]).toEqual([1, 1]);
  interception.release();
  expect(await (await open()).ask('CALL y')).toBe('re: CALL y');
});

test('a statement can be held before it reaches the server, and let go', async () => {
  const interception = proxy.intercept({ pattern: /UPDATE/, side: 'request', act: () => 'hold' });
  const { socket } = await open();
  socket.write('UPDATE');
  await expect.poll(() => interception.matched()).toBe(1);
  expect(received).toEqual([]);
  interception.release();
  expect((await once(socket, 'data'))[0]).toBe('re: UPDATE');
});

function late(ms: number): Promise<string> {
  return new Promise((resolve) => {
    setTimeout(() => resolve('late'), ms);
  });
}
