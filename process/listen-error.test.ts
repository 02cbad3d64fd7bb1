import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { whyNotListening } from './listen-error.ts';

const error = (code: string) => Object.assign(new Error(`listen ${code}`), { code });
const at = { port: 80, portVariable: 'NGINX_PORT', host: '192.0.2.1', hostVariable: 'HOST' };

test.each([
  ['EADDRINUSE', 'port 80 is in use; choose another with NGINX_PORT'],
  ['EACCES', 'this user may not listen on port 80 (EACCES); choose one from 1024 on with NGINX_PORT'],
  ['EADDRNOTAVAIL', '192.0.2.1 is no address of this machine; choose another with HOST'],
  ['ENOTHING', 'listen ENOTHING'],
])('%s is said as a sentence', (code, sentence) => {
  expect(whyNotListening(error(code), at)).toBe(sentence);
});

test('an address of another machine is told by the system with the code that is known here', async () => {
  const listening = new Promise<NodeJS.ErrnoException>((resolve) =>
    createServer().once('error', resolve).listen(0, at.host),
  );
  expect((await listening).code).toBe('EADDRNOTAVAIL');
});
