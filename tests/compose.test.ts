import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { consumerSettings } from '../consumer/config.ts';
import { readSettings } from '../database/config.ts';
import { producerSettings } from '../producer/config.ts';
import { wordServiceSettings } from '../word-service/config.ts';

/** No Docker engine is needed: the file is linted, and held against what it starts. */

interface Service {
  image?: string;
  build?: { context: string; dockerfile: string };
  environment?: Record<string, string>;
  healthcheck?: { test: string[] };
  depends_on?: Record<string, { condition: string }>;
  ports?: string[];
  volumes?: string[];
  profiles?: string[];
  user?: string;
  read_only?: boolean;
}

const text = readFileSync('docker-compose.yaml', 'utf8');
const { services } = parse(text) as { services: Record<string, Service> };
const ours = { producer: producerSettings, consumer: consumerSettings, 'word-service': wordServiceSettings };

test('docker-compose.yaml passes its linter without a warning', () => {
  execFileSync('node_modules/.bin/dclint', ['--max-warnings', '0', '.'], { stdio: 'pipe' });
});

test.each(Object.entries(ours))(
  'every variable that it sets for %s is one that its config accepts',
  (name, settings) => {
    const environment = services[name]!.environment ?? {};
    expect(Object.keys(environment).filter((variable) => !(variable in settings))).toEqual([]);
    // As docker compose would fill in the holes.
    const filled = Object.entries(environment).map(([variable, value]) => [
      variable,
      value.replaceAll(/\$\{\w+:-([^}]*)\}/g, '$1').replaceAll(/\$\{\w+[^}]*\}/g, 'secret'),
    ]);
    expect(() => readSettings(settings, Object.fromEntries(filled))).not.toThrow();
  },
);

test('no secret is written in the file', () => {
  const secrets = Object.values(services).flatMap(({ environment = {} }) =>
    Object.entries(environment).filter(([variable]) => /PASSWORD$|_URL$/.test(variable)),
  );
  expect(secrets.length).toBeGreaterThan(2);
  for (const [, value] of secrets) {
    expect(value.startsWith('${') || value === 'yes' || /:\/\/user:\$\{MYSQL_PASSWORD\}@/.test(value)).toBe(true);
  }
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
  expect(Object.keys(services['nginx']!.depends_on!)).toEqual(['producer']);
  expect(services['consumer']!.profiles).toEqual(['consumers']);
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

test('what an image copies is all that its program imports', () => {
  for (const name of Object.keys(ours)) {
    const copied = [...readFileSync(`${name}/Dockerfile`, 'utf8').matchAll(/^COPY (\S+) \1$/gm)].map(
      ([, folder]) => folder,
    );
    expect(copied).toEqual(['database', name]);
  }
});
