import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, test, vi } from 'vitest';
import { createEvents } from '../database/events/create.ts';
import { freePort } from '../start/free-port.ts';
import { useTestDatabase } from '../tests/test-database.ts';

/** A secret that a process was given is never in what it prints, whatever is wrong. */

const root = fileURLToPath(new URL('../', import.meta.url));
const database = await useTestDatabase();
const run = (main: string, args: string[], env: Record<string, string>) => {
  const options = {
    cwd: tmpdir(),
    env: { PATH: process.env['PATH'], ...env },
    encoding: 'utf8',
    timeout: 20_000,
  } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, [`${root}${main}`, ...args], options);
  return { status, said: stdout + stderr };
};

const MAINS = [
  'producer/main.ts',
  'consumer/main.ts',
  'cli/main.ts',
  'word-service/main.ts',
  'start/main.ts',
  'start/mysql/main.ts',
];
const SECRETS = {
  DATABASE_URL: 'mysql://ninguem:geheim@127.0.0.1:1/messages',
  WORD_SERVICE_URL: 'https://127.0.0.1:1/api?key=geheim',
};
const WRONG = {
  DATABASE_URL: 'postgres://ninguem:ge heim@127.0.0.1:1/messages',
  WORD_SERVICE_URL: 'ftp://ninguem:geheim@127.0.0.1:1/api?key=geheim',
  API_TOKENS: 'geheim',
  OPERATOR_TOKENS: 'geheim',
};

test.each(MAINS)('%s prints no secret with its help', (main) => {
  const { status, said } = run(main, ['--help'], SECRETS);
  expect({ main, status }).toEqual({ main, status: 0 });
  expect(said).not.toMatch(/heim|ninguem/);
});

test.each(MAINS)('%s prints no secret that is wrong, or given as a word or as an option', (main) => {
  const said = [
    run(main, [], { ...WRONG, PORT: 'x', WORD_SERVICE_PORT: 'x', MYSQL_PORT: 'x' }),
    run(main, [SECRETS.DATABASE_URL], SECRETS),
    run(main, [`--databse-url=${SECRETS.DATABASE_URL}`], SECRETS),
  ];
  expect(said.map(({ status }) => status)).toEqual([1, 1, 1]);
  expect(said.map((one) => one.said).join('\n')).not.toMatch(/heim|ninguem/);
});

test('a consumer takes no words from a URL with a password, which fetch would refuse with the URL in its message', () => {
  const { status, said } = run('consumer/main.ts', [], { WORD_SERVICE_URL: 'http://ninguem:geheim@127.0.0.1:1/api' });
  expect(status).toBe(1);
  expect(said).toContain('WORD_SERVICE_URL="http://…@127.0.0.1:1/api": expected URL without user and password');
});

test.each<[string, () => Promise<Record<string, string>>, string]>([
  [
    'consumer/main.ts',
    async () => ({ DATABASE_URL: await nobodyAt('mysql://ninguem:geheim@', '/x') }),
    'database lost',
  ],
  [
    'producer/main.ts',
    async () => ({ DATABASE_URL: await nobodyAt('mysql://ninguem:geheim@', '/x') }),
    'database lost',
  ],
  ['consumer/main.ts', async () => ({ DATABASE_URL: urlWith(database.url, 'geheim') }), 'refuses this account'],
  [
    'consumer/main.ts',
    async () => ({ DATABASE_URL: database.url, WORD_SERVICE_URL: await nobodyAt('http://', '/api?key=geheim') }),
    'ECONNREFUSED',
  ],
])('%s logs no secret of a server that it cannot use', async (main, given, said) => {
  await createEvents(database.db, [{}]);
  const env = { PATH: process.env['PATH'], LOG_LEVEL: 'trace', PORT: '0', ...(await given()) };
  const child = spawn(process.execPath, [`${root}${main}`], { cwd: tmpdir(), env });
  const closed = once(child, 'close'); // some of them end by themselves
  const lines: string[] = [];
  for (const output of [child.stdout, child.stderr])
    createInterface({ input: output }).on('line', (line) => lines.push(line));
  await vi.waitFor(() => expect(lines.join('\n')).toContain(said), { timeout: 20_000 });
  child.kill();
  await closed;
  expect(lines.join('\n')).not.toMatch(/geheim/);
});

const nobodyAt = async (before: string, after: string) => `${before}127.0.0.1:${await freePort()}${after}`;
const urlWith = (url: string, password: string) => Object.assign(new URL(url), { password }).href;
