import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join, relative } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { answer, bodyOf, startReceiver } from './http-receiver.ts';
import { codeBlocks } from './markdown.ts';
import { prepareSystem, startSystem } from './whole-system.ts';

/** `npm start -- --handlers`, as docs/handlers.md tells it. */

mkdirSync('.data', { recursive: true });
const folder = mkdtempSync('.data/handlers-start-');
afterAll(() => rmSync(folder, { recursive: true }));

/** Saves a module as a reader would, with the path that its import then needs. */
function save(name: string, code: string): string {
  const path = join(folder, name);
  writeFileSync(path, code.replaceAll(`'./index.ts'`, `'${relative(folder, 'index.ts')}'`));
  return `./${path}`;
}

function post(url: string, body: string): Promise<Response> {
  return fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
}

test('the first module of docs/handlers.md runs, and the values come from create-sync and GET', async () => {
  const mails: unknown[] = [];
  const mailServer = await startReceiver(answer(503), (request, response) => {
    void bodyOf(request).then((body) => {
      mails.push({ key: request.headers['idempotency-key'], body: JSON.parse(body) as unknown });
      response.end();
    });
  });
  const first = codeBlocks(readFileSync('docs/handlers.md', 'utf8')).find(({ language }) => language === 'ts');
  const { port } = new URL(mailServer.url);
  const quick = first!.code.replace('8025', port).replace('attempts: 10', 'attempts: 10, retryDelayMs: 10');
  await using prepared = await prepareSystem();
  const system = await startSystem(prepared.environment, { args: ['--handlers', save('mine.ts', quick)] });

  const hello = await post(`${system.front}/create-sync`, '{"kind":"hello"}');
  expect(await hello.json()).toEqual({ id: 1, kind: 'hello', valor: 'hello', status: 'filled' });
  const mail = { to: 'ana@example.org', text: 'Olá' };
  await post(`${system.front}/create-async`, JSON.stringify({ kind: 'email', payload: mail }));
  await expect
    .poll(async () => (await fetch(`${system.front}/2`)).json(), { timeout: 10_000 })
    .toEqual({ id: 2, kind: 'email', valor: { sentTo: 'ana@example.org' }, status: 'filled' });
  expect(mails).toEqual([{ key: 'mail-2', body: mail }]);
  expect(mailServer.asked).toHaveLength(2);
  expect(system.processes().some(({ command }) => command.includes('word-service/main'))).toBe(false);
  expect(await system.interrupt()).toContain('stopped');
});

const AWKWARD = [
  'null',
  'true',
  '0',
  '-0',
  '1E+2',
  '0.1',
  '12345678901234567890',
  '3.141592653589793238462643383279',
  '1e999',
  '""',
  '" "',
  '"\\u0000"',
  '"\\ud800"',
  '"\\ud83d\\ude00"',
  '"😀 é \u2028 \u0301"',
  '"\\"\\\\\\/\\b\\f\\n\\r\\t"',
  '"\'; DROP TABLE Events; --"',
  '"</script>"',
  '"%s ? :x {}"',
  `"${'ã'.repeat(25_000)}"`,
  '[]',
  '{}',
  '[ 1 ,\n\t2 ]',
  '{"b":1,"a":2,"10":3,"9":4}',
  '{"a":1,"a":2}',
  '{"":{"":null}}',
  '{"😀":"\\u0000"}',
  '{"__proto__":{"admin":true}}',
  '{"constructor":{"prototype":{}}}',
  '{"payload":{"kind":"word"},"events":[]}',
  `${'['.repeat(100)}${']'.repeat(100)}`,
  `[${Array.from({ length: 10_000 }, (_, n) => n).join(',')}]`,
];

const ECHO = `import { defineHandlers } from './index.ts';
export default defineHandlers({
  echo: ({ payload, payloadText }) => ({ text: payloadText ?? null, type: payload === null ? 'null' : typeof payload }),
});`;

test('a payload of any JSON reaches its handler as it was sent, and the value comes back', async () => {
  await using prepared = await prepareSystem();
  const system = await startSystem(prepared.environment, { args: ['--handlers', save('echo.ts', ECHO)] });
  const typeOf = (text: string) => (text === 'null' ? 'null' : typeof JSON.parse(text));
  const value = (text: string) => ({ kind: 'echo', valor: { text, type: typeOf(text) }, status: 'filled' });

  const list = AWKWARD.map((text) => `{"kind":"echo","payload":${text}}`).join(',');
  const created = await post(`${system.front}/create-async`, `{"events":[${list}]}`);
  expect(created.status).toBe(202);
  for (const [n, text] of AWKWARD.entries()) {
    const one = await post(`${system.front}/create-sync`, `{"kind":"echo","payload":${text}}`);
    expect(await one.json()).toEqual({ id: AWKWARD.length + n + 1, ...value(text) });
    await expect
      .poll(async () => (await fetch(`${system.front}/${n + 1}`)).json(), { timeout: 10_000 })
      .toEqual({ id: n + 1, ...value(text) });
  }
  const none = await post(`${system.front}/create-sync`, '{"kind":"echo"}');
  expect(await none.json()).toMatchObject({ valor: { text: null, type: 'undefined' }, status: 'filled' });
  expect(await system.interrupt()).toContain('stopped');
});

test.each([
  ['does not exist', () => './none.ts', /start: \.\/none\.ts does not exist: give the path of a module/],
  [
    'has a fault',
    () => save('broken.ts', 'export default {'),
    /broken\.ts.* cannot be loaded, correct it and start again/,
  ],
  ['has no handlers', () => save('empty.ts', 'export default 1;'), /empty\.ts has no handlers: end it with/],
])('a module that %s ends npm start with one sentence, and nothing is started', async (_, path, sentence) => {
  await using prepared = await prepareSystem({ isFirstStart: true });
  await expect(startSystem(prepared.environment, { args: ['--handlers', path()] })).rejects.toThrow(sentence);
  expect(existsSync(join(prepared.environment['DATA_DIRECTORY']!, 'mysql'))).toBe(false);
  const server = createServer().listen(Number(prepared.environment['NGINX_PORT']), '127.0.0.1');
  await new Promise((resolve, reject) => server.once('listening', resolve).once('error', reject));
  server.close();
});
