import { expect, test } from 'vitest';
import { producerSettings, readProducerConfig } from './config.ts';

/** A value that each setting refuses, and what its message says would be accepted. */
const REFUSED = {
  DATABASE_URL: [
    'postgres://…@127.0.0.1/messages',
    'URL such as mysql://user:password@127.0.0.1:3316/messages, or with several hosts, h1:3306,h2:3306',
  ],
  DATABASE_TIMEOUT_MS: ['1999', 'whole number, 2000 to 86400000'],
  PORT: ['65536', 'whole number, 0 to 65535, except ports that browsers block'],
  HOST: ['x86_64-conda-linux-gnu', 'IP address or localhost'],
  SYNC_POLL_MS: ['0', 'whole number, 1 to 60000'],
  CREATE_BATCH: ['1e3', 'whole number, 1 to 10000'],
  CREATE_WAIT_MS: ['0', 'whole number, 1 to 86400000'],
  PAYLOAD_LIMIT: ['1048577', 'whole number, 1 to 1048576'],
  WAITING_LIMIT: ['many', 'whole number, 1 to 1000000'],
  IDEMPOTENCY_TTL_MS: ['999', 'whole number, 1000 to 2592000000'],
  SHUTDOWN_GRACE_MS: ['1.5', 'whole number, 0 to 86400000'],
  API_TOKENS: ['…', 'SHA-256 hashes in hex, with commas between'],
  OPERATOR_TOKENS: ['…', 'SHA-256 hashes in hex, with commas between'],
  CORS_ORIGINS: ['https://example.org/page', 'origins such as https://example.org, with commas between'],
  LOG_LEVEL: ['loud', 'trace, debug, info, warn, error, silent'],
  LOG_FORMAT: ['xml', 'auto, json, pretty'],
} as const;

test('every setting has a row in the table of this test', () => {
  expect(Object.keys(REFUSED).toSorted()).toEqual(Object.keys(producerSettings).toSorted());
});

/** The line of a message that names the variable, the value and what is accepted. */
const problemWith = (name: keyof typeof REFUSED) => {
  const [value, accepts] = REFUSED[name];
  return expect.toSatisfy((line: string) => line.startsWith(`  ${name}="${value}": `) && line.endsWith(accepts));
};

const NAMES = Object.keys(REFUSED).toSorted() as (keyof typeof REFUSED)[];

test('all problems come in one message, each with the variable, its value and what is accepted', () => {
  const lines = messageOf(Object.fromEntries(NAMES.map((name) => [name, REFUSED[name][0]]))).split('\n');
  expect(lines[0]).toBe("These settings can't be used:");
  expect(lines.slice(1).toSorted()).toEqual(NAMES.map(problemWith));
});

test.each(NAMES)('a problem with %s alone names no other', (name) => {
  const [, ...problems] = messageOf({ [name]: REFUSED[name][0] }).split('\n');
  expect(problems).toEqual([problemWith(name)]);
});

test.each(['0x10', '1e3', ' 5', '5 ', '+5', '-5', '5.0', '٣', 'NaN', 'Infinity', '9'.repeat(400)])(
  'the number %j is refused rather than guessed',
  (value) => {
    const message = messageOf({ PORT: value });
    expect(message).toContain(`PORT=${JSON.stringify(value)}: `);
    expect(message).toContain('whole number, 0 to 65535');
  },
);

test('what is not set, or empty, has its default', () => {
  const defaults = {
    DATABASE_URL: 'mysql://user:password@127.0.0.1:3316/messages',
    DATABASE_TIMEOUT_MS: 10_000,
    PORT: 3_000,
    HOST: '127.0.0.1',
    SYNC_POLL_MS: 100,
    CREATE_BATCH: 1_000,
    CREATE_WAIT_MS: 500,
    PAYLOAD_LIMIT: 65_536,
    WAITING_LIMIT: 20_000,
    IDEMPOTENCY_TTL_MS: 86_400_000,
    SHUTDOWN_GRACE_MS: 10_000,
    API_TOKENS: [],
    OPERATOR_TOKENS: [],
    CORS_ORIGINS: [],
    LOG_LEVEL: 'info',
    LOG_FORMAT: 'auto',
  };
  expect(readProducerConfig({})).toEqual(defaults);
  expect(readProducerConfig({ PORT: '', DATABASE_URL: '', LOG_LEVEL: undefined })).toEqual(defaults);
});

test('what is set is taken as it is written, and what is not ours is left alone', () => {
  const config = readProducerConfig({ PORT: '0', SYNC_POLL_MS: '250', HOST: '::1', LOG_LEVEL: 'debug', PATH: '/bin' });
  expect(config).toMatchObject({ PORT: 0, SYNC_POLL_MS: 250, HOST: '::1', LOG_LEVEL: 'debug' });
  expect(config).not.toHaveProperty('PATH');
});

function messageOf(env: Record<string, string>): string {
  try {
    readProducerConfig(env);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('nothing was refused');
}

test('a password is not repeated in the message', () => {
  expect(messageOf({ DATABASE_URL: 'postgres://user:geheim@db/messages' })).not.toContain('geheim');
});
