import { describe, expect, test } from 'vitest';
import { metaOf } from '../process/setting-kinds.ts';
import { consumerSettings, helpText, optionName, readConsumerConfig } from './config.ts';

describe('the settings of a consumer', () => {
  test('have defaults with which it starts', () => {
    expect(readConsumerConfig([], {})).toMatchObject({
      CONSUMER_BATCH: 1_000,
      CONSUMER_CONCURRENCY: 2,
      once: false,
      LEASE_MS: 30_000,
      MAX_ATTEMPTS: 5,
      DATABASE_URL: 'mysql://user:password@127.0.0.1:3316/messages',
    });
  });

  test('come from the environment, and an option wins over it', () => {
    const env = { CONSUMER_BATCH: '7', LEASE_MS: '4000', CONSUMER_NAME: 'ana' };
    expect(readConsumerConfig(['--batch', '9', '--lease-ms=5000'], env)).toMatchObject({
      CONSUMER_BATCH: 9,
      LEASE_MS: 5_000,
      CONSUMER_NAME: 'ana',
    });
  });

  test('that are empty in the environment count as not set', () => {
    expect(readConsumerConfig([], { CONSUMER_BATCH: '', CONSUMER_NAME: '' })).toMatchObject({ CONSUMER_BATCH: 1_000 });
  });

  test.each([
    ['CONSUMER_BATCH', 'batch'],
    ['CONSUMER_POLL_MS', 'poll-ms'],
    ['WORD_SERVICE_URL', 'word-service-url'],
    ['LEASE_MS', 'lease-ms'],
  ])('%s is the option --%s', (variable, option) => {
    expect(optionName(variable)).toBe(option);
  });

  test('have options of different names', () => {
    const options = [...Object.keys(consumerSettings).map(optionName), 'once', 'quiet', 'verbose', 'help'];
    expect(new Set(options).size).toBe(options.length);
  });

  test('that are on or off are options without a value, and not in the environment, where npm start would hand them on', () => {
    const config = readConsumerConfig(['--once', '--quiet'], { CONSUMER_VERBOSE: 'yes', VERBOSE: 'yes' });
    expect(config).toMatchObject({ once: true, quiet: true, verbose: false });
    expect(() => readConsumerConfig(['--once=no'], {})).toThrow(/--once/);
  });
});

describe('a consumer does not start with', () => {
  test('an option that it does not know', () => {
    expect(() => readConsumerConfig(['--bach', '9'], {})).toThrow(/--bach/);
  });

  test('an option without its value', () => {
    expect(() => readConsumerConfig(['--batch'], {})).toThrow(/--batch/);
  });

  test('a word that is no option', () => {
    expect(() => readConsumerConfig(['once'], {})).toThrow(/once/);
  });

  test.each([
    ['CONSUMER_BATCH', '0'],
    ['CONSUMER_BATCH', '10001'],
    ['CONSUMER_CONCURRENCY', '1e1'],
    ['CONSUMER_POLL_MS', '0'],
    ['CONSUMER_POLL_MS', '1001'],
    ['CONSUMER_NAME', 'Ana Maria'],
    ['CONSUMER_NAME', 'a'.repeat(33)],
    ['WORD_SERVICE_URL', 'ftp://127.0.0.1/words'],
    ['WORD_SERVICE_URL', 'words'],
    ['DATABASE_URL', 'postgres://…@127.0.0.1/messages'],
    ['LEASE_MS', '-1'],
    ['LEASE_MS', '999'],
    ['WORD_ATTEMPT_MS', '0.5'],
    ['WORD_SERVICE_URL', 'http://127.0.0.1:10080/api'],
    ['LOG_FORMAT', 'xml'],
  ])('%s=%s', (variable, value) => {
    expect(() => readConsumerConfig([], { [variable]: value })).toThrow(`${variable}=${JSON.stringify(value)}`);
  });

  test('several such settings, and one message names each with its value and what is accepted', () => {
    const read = () => readConsumerConfig(['--batch', 'many'], { LEASE_MS: '5', LOG_LEVEL: 'loud' });
    expect(read).toThrow(/CONSUMER_BATCH="many": .*whole number, 1 to 10000/);
    expect(read).toThrow(/LEASE_MS="5": .*whole number, 1000 to 86400000/);
    expect(read).toThrow(/LOG_LEVEL="loud": .*trace, debug, info, warn, error, silent/);
  });
});

test('the name of the machine is a name that can be used', () => {
  const { CONSUMER_NAME } = readConsumerConfig([], {});
  expect(readConsumerConfig(['--name', CONSUMER_NAME], {}).CONSUMER_NAME).toBe(CONSUMER_NAME);
});

test('the help names every option and variable, with its default', () => {
  const help = helpText();
  for (const [variable, setting] of Object.entries(consumerSettings)) {
    const { default: preset } = metaOf(setting);
    expect(help).toMatch(new RegExp(`^ +--${optionName(variable)}( …)? `, 'm'));
    expect(help).toMatch(new RegExp(`^ +${variable}: .*${preset && 'default '}`, 'm'));
  }
  for (const flag of ['once', 'quiet', 'verbose', 'help']) expect(help).toMatch(new RegExp(`^ +--${flag} +\\S`, 'm'));
});
