import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { createEvents } from '../database/events/create.ts';
import { findEvent } from '../database/events/read.ts';
import { killAll } from '../tests/producer-app.ts';
import { useTestDatabase } from '../tests/test-database.ts';

const database = await useTestDatabase();
const { db } = database;

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));
const some = (count: number) => Array.from({ length: count }, () => ({}));

/** `npm run events -- …`, in a process of its own and with the producers' account. */
async function events(...args: string[]) {
  const env = { ...process.env, DATABASE_URL: database.url.replace('//user:', '//producer:') };
  const child = spawn(process.execPath, [MAIN, ...args], { cwd: import.meta.dirname, env });
  const output = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => void (output.out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (output.err += text));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...output };
}

test('what is asked for is printed, and what cannot be done is said with exit code 1', async () => {
  await createEvents(db, some(2));
  await killAll(db);
  const { code, out, err } = await events('dead');
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(out).toMatch(/^#1 .*\n#2 .*\n$/);
  expect(await events('revive', '1', '99')).toEqual({
    code: 1,
    out: '1 event revived\n',
    err: 'events: there is no event 99\n',
  });
});

test('what cannot be understood is said in one line, and nothing is done', async () => {
  await createEvents(db, some(1));
  await killAll(db);
  const { code, out, err } = await events('revive', '1', '01');
  expect({ code, out }).toEqual({ code: 1, out: '' });
  expect(err).toMatch(/^events: "01": expected an id[^\n]+\n$/);
  expect(await findEvent(db, 1)).toMatchObject({ status: 'dead' });
});

test('--help names every command', async () => {
  const { code, out } = await events('--help');
  expect(code).toBe(0);
  for (const word of ['dead', 'show', 'revive', '--all', '--json', '--limit']) expect(out).toContain(word);
});

test('a database that cannot be reached is said, with exit code 1', async () => {
  const env = { ...process.env, DATABASE_URL: 'mysql://user:geheim@127.0.0.1:1/none' };
  const child = spawn(process.execPath, [MAIN, 'dead'], { cwd: import.meta.dirname, env });
  let err = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (err += text));
  const [code] = (await once(child, 'close')) as [number | null];
  expect(code).toBe(1);
  expect(err).toMatch(/^events: ECONNREFUSED/);
  expect(err).not.toContain('geheim');
});
