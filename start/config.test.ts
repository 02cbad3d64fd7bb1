import { expect, test } from 'vitest';
import { readStartConfig } from './config.ts';

const read = (env: Record<string, string>, args: string[] = []) => readStartConfig(args, env);

test.each<[string, Record<string, string>, RegExp]>([
  ['of a consumer', { LEASE_MS: '5' }, /^ {2}LEASE_MS="5": expected whole number, 1000 to/m],
  ['of a producer', { API_TOKENS: 'geheim' }, /^ {2}API_TOKENS="…": expected SHA-256/m],
  ['of both', { DATABASE_TIMEOUT_MS: '1' }, /^ {2}DATABASE_TIMEOUT_MS="1": /m],
  ['of the word service', { WORD_SERVICE_PORT: '10080' }, /^ {2}WORD_SERVICE_PORT="10080": .*browsers block$/m],
  ['of the database', { DATABASE_URL: 'mysql://eve:ge%heim@db/x' }, /^ {2}DATABASE_URL="mysql:\/\/…@db\/x": .*%25$/m],
  ['of the front door', { NGINX_PORT: '10080' }, /^ {2}NGINX_PORT="10080": /m],
  ['of the log', { LOG_LEVEL: 'loud' }, /^ {2}LOG_LEVEL="loud": /m],
])('a setting %s that the part would refuse is refused before anything is started', (_, env, message) => {
  expect(() => read(env)).toThrow(message);
});

test.each<[Record<string, string>, string]>([
  [{ NGINX_PORT: '3001' }, '  3001 in NGINX_PORT and PRODUCER_PORTS'],
  [{ MYSQL_PORT: '8080' }, '  8080 in NGINX_PORT and MYSQL_PORT'],
  [{ WORD_SERVICE_PORT: '3316' }, '  3316 in MYSQL_PORT and WORD_SERVICE_PORT'],
  [
    { PRODUCER_PORTS: '3900,8080' },
    '  8080 in NGINX_PORT and PRODUCER_PORTS\n  3900 in PRODUCER_PORTS and WORD_SERVICE_PORT',
  ],
])('a port that is given twice is said: %j', (env, lines) => {
  expect(() => read(env)).toThrow(`These ports are given twice:\n${lines}`);
});

test('a port of a part that is not started may be anything', () => {
  const databaseUrl = 'mysql://user:password@127.0.0.1:3306/messages';
  const { ports } = read({
    DATABASE_URL: databaseUrl,
    MYSQL_PORT: '8080',
    WORD_SERVICE_URL: 'http://words/',
    WORD_SERVICE_PORT: '8080',
  });
  expect(ports.map(({ port }) => port)).toEqual([8_080, 3_001, 3_002]);
});

test('HOST, PORT and CONSUMER_NAME of the machine do not matter: each part is given its own', () => {
  expect(() =>
    read({ HOST: 'x86_64-conda-linux-gnu', PORT: 'tcp://10.0.0.1:80', CONSUMER_NAME: 'Ana Maria' }),
  ).not.toThrow();
});

test('an option wins over the environment', () => {
  expect(read({ CONSUMERS: '1' }, ['--consumers', '3']).CONSUMERS).toBe(3);
  expect(() => read({}, ['--consumers', 'many'])).toThrow(/CONSUMERS="many"/);
});
