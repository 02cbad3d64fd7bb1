import { spawn } from 'node:child_process';
import { hash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { freePort } from '../start/free-port.ts';
import { behaviourSchema } from '../word-service/behaviour.ts';
import { createWordService } from '../word-service/server.ts';
import { useTestDatabase } from './test-database.ts';

/** A producer and a consumer as they would run at work: accounts with few rights, secrets in files, tokens asked for. */

const database = await useTestDatabase();

function startProcess(main: string, env: Record<string, string>): void {
  const child = spawn(process.execPath, [main], {
    env: { PATH: process.env['PATH'], LOG_LEVEL: 'warn', ...env },
    stdio: 'inherit',
  });
  onTestFinished(async () => {
    if (child.exitCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
}

test('with accounts of their own, secrets in files and tokens, the processes serve those who have one', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'event-queue-access-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const secretFile = (name: string, content: string) => {
    writeFileSync(join(directory, name), `${content}\n`);
    return join(directory, name);
  };
  const urlFile = (account: string) => secretFile(account, database.url.replace('//user:', `//${account}:`));
  const words = createWordService(behaviourSchema.parse({})).listen(0, '127.0.0.1');
  await once(words, 'listening');
  onTestFinished(() => void words.close());
  const port = await freePort();

  startProcess('producer/main.ts', {
    PORT: String(port),
    DATABASE_URL_FILE: urlFile('producer'),
    API_TOKENS_FILE: secretFile('tokens', `${hash('sha256', 'old')}\n${hash('sha256', 'new')}`),
    OPERATOR_TOKENS: hash('sha256', 'operator'),
    CORS_ORIGINS: 'https://shop.example',
  });
  startProcess('consumer/main.ts', {
    DATABASE_URL_FILE: urlFile('consumer'),
    WORD_SERVICE_URL: `http://127.0.0.1:${(words.address() as AddressInfo).port}/api`,
  });
  const url = `http://127.0.0.1:${port}`;
  const ask = (path: string, token: string, method = 'GET') =>
    fetch(`${url}${path}`, { method, headers: { Authorization: `Bearer ${token}`, Origin: 'https://shop.example' } });
  await vi.waitFor(async () => expect((await fetch(`${url}/readyz`)).status).toBe(200), { timeout: 20_000 });

  const filled = await ask('/create-sync', 'new', 'POST');
  expect(filled.status).toBe(201);
  expect(filled.headers.get('access-control-allow-origin')).toBe('https://shop.example');
  const event = (await filled.json()) as object;
  expect(await (await ask('/1', 'old')).json()).toEqual(event);
  expect((await ask('/1', 'other')).status).toBe(401);
  expect((await ask('/operator/events/1', 'new')).status).toBe(401);
  expect(await (await ask('/operator/events/1', 'operator')).json()).toMatchObject({ ...event, attempts: 1 });
  expect(await (await ask('/operator/dead/revive', 'operator', 'POST')).json()).toEqual({ revived: 0, outOfOrder: 0 });
});
