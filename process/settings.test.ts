import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { readConsumerConfig } from '../consumer/config.ts';
import { databaseSettings } from '../database/config.ts';
import { readStartConfig } from '../start/config.ts';
import { readSettings } from './settings.ts';

const run = promisify(execFile);
const moduleAt = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
const directory = mkdtempSync(join(tmpdir(), 'event-queue-secrets-'));
afterAll(() => rmSync(directory, { recursive: true }));

const URL_IN_FILE = 'mysql://producer:geheim@mysql:3306/messages';
const secretFile = (content: string) => {
  const path = join(directory, 'secret');
  writeFileSync(path, content);
  return path;
};
const read = (given: Record<string, string>) => readSettings(databaseSettings, given).DATABASE_URL;

describe('a secret in a file', () => {
  test.each([URL_IN_FILE, `${URL_IN_FILE}\n`, `${URL_IN_FILE}\r\n`])('%j is read without its line break', (content) => {
    expect(read({ DATABASE_URL_FILE: secretFile(content) })).toBe(URL_IN_FILE);
  });

  test('is not taken when the secret itself is given as well', () => {
    const given = { DATABASE_URL: URL_IN_FILE, DATABASE_URL_FILE: secretFile(URL_IN_FILE) };
    expect(() => read(given)).toThrow(/\n {2}DATABASE_URL and DATABASE_URL_FILE are both given: expected one of them$/);
    expect(read({ ...given, DATABASE_URL: '' })).toBe(URL_IN_FILE);
    expect(read({ ...given, DATABASE_URL_FILE: '' })).toBe(URL_IN_FILE);
  });

  test('that cannot be read is named with the reason, beside every other problem', () => {
    const given = { DATABASE_URL_FILE: join(directory, 'nothing'), DATABASE_TIMEOUT_MS: 'many' };
    expect(() => read(given)).toThrow(
      /DATABASE_URL_FILE=".*nothing": expected a file that can be read \(ENOENT\)\n {2}DATABASE_TIMEOUT_MS="many"/,
    );
    expect(() => read({ DATABASE_URL_FILE: directory })).toThrow(/EISDIR/);
    expect(() => read({ DATABASE_URL_FILE: secretFile('\n') })).toThrow(/it is empty/);
  });

  test('that cannot be used is refused without repeating the password', () => {
    const path = secretFile(URL_IN_FILE.replace('mysql:', 'postgres:'));
    expect(() => read({ DATABASE_URL_FILE: path })).toThrow(/DATABASE_URL=.*expected URL such as/);
    expect(() => read({ DATABASE_URL_FILE: path })).not.toThrow(/geheim/);
    expect(() => read({ DATABASE_URL_FILE: secretFile('geheim') })).toThrow(/DATABASE_URL="…": expected URL such as/);
  });

  test('reaches a consumer, unless an option says otherwise', () => {
    const env = { DATABASE_URL_FILE: secretFile(URL_IN_FILE) };
    expect(readConsumerConfig([], env).DATABASE_URL).toBe(URL_IN_FILE);
    const option = 'mysql://consumer:x@127.0.0.1/messages';
    expect(readConsumerConfig(['--database-url', option], env).DATABASE_URL).toBe(option);
  });

  test('reaches npm start, which hands its parts the URL and not the file as well, though they read .env too', async () => {
    writeFileSync(join(directory, '.env'), `DATABASE_URL_FILE=${secretFile(URL_IN_FILE)}\n`);
    const { databaseUrl, environment } = readStartConfig([], { DATABASE_URL_FILE: secretFile(URL_IN_FILE) });
    const part = `import { databaseSettings } from ${moduleAt('../database/config.ts')};
      import { readEnvironment, readSettings } from ${moduleAt('settings.ts')};
      console.log(readSettings(databaseSettings, readEnvironment()).DATABASE_URL);`;
    const env = { ...environment, DATABASE_URL: databaseUrl };
    const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', part], { cwd: directory, env });
    expect(stdout.trim()).toBe(URL_IN_FILE);
  });
});

test('only a secret can be given as a file', () => {
  expect(readSettings(databaseSettings, { DATABASE_TIMEOUT_MS_FILE: secretFile('3000') }).DATABASE_TIMEOUT_MS).toBe(
    10_000,
  );
});
