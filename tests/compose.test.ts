import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sql } from 'kysely';
import { expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import type { z } from 'zod';
import { consumerSettings } from '../consumer/config.ts';
import { fileVariable } from '../process/setting-kinds.ts';
import { readSettings } from '../process/settings.ts';
import { producerSettings } from '../producer/config.ts';
import { nodeArgs } from '../start/node-args.ts';
import { wordServiceSettings } from '../word-service/config.ts';
import { createTestDatabase } from './test-database.ts';

/** No Docker engine is needed: the file is linted, and held against what it starts; its scripts are run. */

interface Service {
  image?: string;
  build?: { context: string; dockerfile: string };
  environment?: Record<string, string>;
  secrets?: string[];
  healthcheck?: { test: string[] };
  depends_on?: Record<string, { condition: string }>;
  ports?: string[];
  volumes?: string[];
  profiles?: string[];
  user?: string;
  read_only?: boolean;
  cap_drop?: string[];
  security_opt?: string[];
  stop_signal?: string;
  stop_grace_period?: string;
}

const text = readFileSync('docker-compose.yaml', 'utf8');
const { services, secrets } = parse(text) as {
  services: Record<string, Service>;
  secrets: Record<string, { file: string }>;
};
const ours: Record<string, Record<string, z.ZodType>> = {
  producer: producerSettings,
  consumer: consumerSettings,
  'word-service': wordServiceSettings,
};

const SCRIPTS = 'database/compose';

/** The folder that make-secrets fills. */
function makeSecrets(directory = mkdtempSync(join(tmpdir(), 'event-queue-compose-'))): string {
  execFileSync(`${SCRIPTS}/make-secrets`, [join(directory, 'secrets')]);
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, 'secrets');
}

test('docker-compose.yaml passes its linter without a warning', () => {
  execFileSync('node_modules/.bin/dclint', ['--max-warnings', '0', '.'], { stdio: 'pipe' });
});

test.each(Object.entries(ours))(
  'every variable that it sets for %s is one that its config accepts',
  (name, settings) => {
    const environment = services[name]!.environment ?? {};
    const known = new Set(
      Object.entries(settings).flatMap(([variable, setting]) => [
        variable,
        fileVariable(variable, setting) ?? variable,
      ]),
    );
    expect(Object.keys(environment).filter((variable) => !known.has(variable))).toEqual([]);
    // As docker compose would fill in the holes, and mount the secrets.
    const folder = makeSecrets();
    const filled = Object.entries(environment).map(([variable, value]) => [
      variable,
      value.replaceAll(/\$\{\w+:-([^}]*)\}/g, '$1').replace('/run/secrets', folder),
    ]);
    expect(() => readSettings(settings, Object.fromEntries(filled))).not.toThrow();
  },
);

test('no secret is written in the file or handed over in the environment', () => {
  const variables = Object.values(services).flatMap(({ environment = {} }) => Object.entries(environment));
  expect(variables.filter(([variable]) => variable.endsWith('_FILE')).length).toBeGreaterThan(2);
  expect(text).not.toMatch(/mysql:\/\//);
  const isSecret = (variable: string) => /PASSWORD$|DATABASE_URL$/.test(variable);
  expect(variables.filter(([variable]) => isSecret(variable))).toEqual([['MYSQL_RANDOM_ROOT_PASSWORD', 'yes']]);
});

test('each service is given the secrets that it names, and no other', () => {
  for (const { environment = {}, secrets: given = [], healthcheck, volumes = [] } of Object.values(services)) {
    const named = JSON.stringify([environment, healthcheck]).match(/(?<=\/run\/secrets\/)[\w-]+/g) ?? [];
    const script = volumes.find((volume) => volume.includes('make-accounts'))
      ? ['producer-password', 'consumer-password']
      : [];
    expect(given.toSorted()).toEqual([...new Set([...named, ...script])].toSorted());
  }
});

test('make-secrets makes every file that is asked for, different each time, and keeps what is there', () => {
  const folder = makeSecrets();
  expect(readdirSync(folder).toSorted()).toEqual(Object.keys(secrets).toSorted());
  for (const [name, { file }] of Object.entries(secrets)) expect(file).toBe(`secrets/${name}`);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  const read = (name: string, from = folder) => readFileSync(join(from, name), 'utf8').trim();
  for (const account of ['producer', 'consumer']) {
    expect(read(`${account}-password`)).toMatch(/^[0-9a-f]{32}$/);
    expect(read(`${account}-url`)).toBe(`mysql://${account}:${read(`${account}-password`)}@mysql:3306/messages`);
    expect(read(`${account}-password`, makeSecrets())).not.toBe(read(`${account}-password`));
  }
  const before = read('producer-password');
  makeSecrets(join(folder, '..'));
  expect(read('producer-password')).toBe(before);
});

test('make-accounts.sh makes both accounts, whatever their passwords are', async () => {
  const folder = makeSecrets();
  const password = `it's 50% \\ "odd"`;
  writeFileSync(join(folder, 'consumer-password'), `${password}\n`);
  // In place of the image's client, which would send this to the server.
  writeFileSync(join(folder, 'mysql'), `#!/bin/sh\n[ "$MYSQL_PWD" = root ] && cat\n`, { mode: 0o755 });
  const env = { PATH: `${folder}:${process.env['PATH']}`, SECRETS: folder, MYSQL_ROOT_PASSWORD: 'root' };
  const script = execFileSync(`${SCRIPTS}/make-accounts.sh`, { env, encoding: 'utf8' });
  const [producer, consumer] = script.trim().split('\n');
  expect(producer).toMatch(/^CREATE USER 'producer'@'%' IDENTIFIED BY '[0-9a-f]{32}';$/);

  await using database = await createTestDatabase();
  await sql.raw(consumer!.replace("'consumer'", "'odd'").replace(';', '')).execute(database.db);
  const url = new URL(database.url);
  url.username = 'odd';
  url.password = encodeURIComponent(password);
  url.pathname = '/information_schema';
  const odd = database.connect({ url: url.href });
  expect((await sql<{ account: string }>`SELECT CURRENT_USER() AS account`.execute(odd)).rows[0]?.account).toBe(
    'odd@%',
  );
  await sql`DROP USER odd`.execute(database.db);
});

test('only nginx and, for consumers in a terminal, MySQL are published, both on this machine only', () => {
  const published = Object.entries(services).flatMap(([name, { ports = [] }]) => ports.map((port) => [name, port]));
  expect(published).toEqual([
    ['mysql', '127.0.0.1:${MYSQL_PORT:-3316}:3306'],
    ['nginx', '127.0.0.1:${NGINX_PORT:-8080}:8080'],
  ]);
});

test('every service says when it is healthy, but for consumers, and nothing starts before what it needs is', () => {
  for (const [name, { healthcheck, depends_on = {} }] of Object.entries(services)) {
    expect({ name, checked: healthcheck !== undefined }).toEqual({ name, checked: name !== 'consumer' });
    for (const { condition } of Object.values(depends_on)) expect(condition).toBe('service_healthy');
  }
  expect(Object.keys(services['producer']!.depends_on!)).toEqual(['mysql']);
  expect(services['consumer']!.profiles).toEqual(['consumers']);
});

test('nginx is stopped together with the producers, who let go what it waits for, and waits as long as they may take', () => {
  const { depends_on = {}, stop_signal, stop_grace_period } = services['nginx']!;
  expect(Object.keys(depends_on)).toEqual([]);
  expect({ stop_signal, stop_grace_period }).toEqual({
    stop_signal: 'SIGQUIT',
    stop_grace_period: services['producer']!.stop_grace_period,
  });
});

test('what it mounts and builds exists, and our own images run as a user without rights', () => {
  for (const { volumes = [], build } of Object.values(services)) {
    for (const [source = ''] of volumes.map((volume) => volume.split(':'))) {
      if (source.startsWith('.')) expect({ source, exists: existsSync(source) }).toEqual({ source, exists: true });
    }
    if (!build) continue;
    const dockerfile = readFileSync(build.dockerfile, 'utf8');
    expect(dockerfile).toMatch(/^USER node$/m);
    for (const [, folder] of dockerfile.matchAll(/^COPY (\S+) \1$/gm)) expect(existsSync(folder!)).toBe(true);
  }
});

test('our own containers and nginx can write nothing and gain no rights', () => {
  for (const [name, service] of Object.entries(services).filter(([name]) => name !== 'mysql')) {
    const { read_only, cap_drop, security_opt } = service;
    expect({ name, read_only, cap_drop, security_opt }).toEqual({
      name,
      read_only: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
    });
  }
});

/** The files that a program loads, from its main.ts on. */
function filesOf(main: string, known = new Set([main])): Set<string> {
  for (const [, name] of readFileSync(main, 'utf8').matchAll(/\bfrom '(\.[^']+)'/g)) {
    const file = join(dirname(main), name!);
    if (!known.has(file)) filesOf(file, known.add(file));
  }
  return known;
}

test.each(Object.keys(ours))('what the image of %s copies is all that its program imports', (name) => {
  const copied = [...readFileSync(`${name}/Dockerfile`, 'utf8').matchAll(/^COPY (\S+) \1$/gm)].map(
    ([, folder]) => folder!,
  );
  const needed = new Set([...filesOf(`${name}/main.ts`)].map((file) => file.split('/')[0]!));
  expect(copied.toSorted()).toEqual([...needed].toSorted());
  const sent = readFileSync('.dockerignore', 'utf8').split('\n');
  expect(sent).toEqual(expect.arrayContaining(copied.map((folder) => `!${folder}`)));
});

test('an image has a Node of its own, and does without the one that npm ci installs here', () => {
  const { optionalDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as Record<string, object>;
  expect(Object.keys(optionalDependencies!)).toEqual(['node']);
  for (const name of Object.keys(ours)) {
    expect(readFileSync(`${name}/Dockerfile`, 'utf8')).toContain('RUN npm ci --omit=dev --omit=optional ');
  }
});

test('npm run, npm start and an image start a part alike', () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
  for (const name of Object.keys(ours)) {
    const here = fileURLToPath(new URL('..', import.meta.url));
    const started = ['node', ...nodeArgs(`${name}/main.ts`).map((word) => word.replace(here, ''))];
    const dockerfile = readFileSync(`${name}/Dockerfile`, 'utf8');
    const image = JSON.parse(/^CMD (.*)$/m.exec(dockerfile)![1]!) as string[];
    const script = scripts[name]!.replace('exec node --require ./process/check-node.cjs', 'node').split(' ');
    expect({ script, image }).toEqual({ script: started, image: started });
    // What it keeps compiled counts for the same options only.
    expect(dockerfile).toContain(`\nRUN ${image.join(' ')} --help\n`);
  }
});
