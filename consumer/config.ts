import { hostname } from 'node:os';
import { parseArgs } from 'node:util';
import { databaseSettings } from '../database/config.ts';
import { logSettings } from '../process/json-log.ts';
import { flag, milliseconds, readEnvironment, readSettings, text, url, wholeNumber } from '../process/settings.ts';
import { helpEntry, possible } from '../process/settings-help.ts';

const MACHINE = hostname()
  .replaceAll(/[^\w.-]/g, '-')
  .slice(0, 32);

/** Every setting of a consumer, by the environment variable that sets it. Each is an option in a terminal as well. */
export const consumerSettings = {
  CONSUMER_NAME: text(
    /^[\w.-]{1,32}$/,
    'letters, digits, _ . -, at most 32',
    MACHINE,
    'Who claims, in claimed_by and in the log',
    'the name of the machine',
  ),
  CONSUMER_BATCH: wholeNumber(1, 10_000, 1_000, 'Most events in one claim; large batches make a drain fast'),
  CONSUMER_CONCURRENCY: wholeNumber(1, 100, 2, 'Batches in hand at once: one is claimed while another is filled'),
  CONSUMER_POLL_MS: milliseconds(
    1,
    100,
    'Sleep when nothing was due; with less than a batch due, longest wait before the next claim',
  ),
  CONSUMER_ONCE: flag('Work until nothing is due, then exit'),
  CONSUMER_QUIET: flag('In a terminal: no line per event, only what goes wrong'),
  CONSUMER_VERBOSE: flag('In a terminal: a line for each event, however many there are'),
  WORD_SERVICE_URL: url(
    /^https?$/,
    'http://127.0.0.1:3900/api',
    'http://127.0.0.1:3900/api',
    'Where words come from, asked with ?language=pt-br&words=N',
  ),
  WORD_ATTEMPT_MS: milliseconds(1, 5_000, 'For one call of the word service'),
  WORD_TOTAL_MS: milliseconds(1, 20_000, 'For one batch of words with all retries; the lease is renewed meanwhile'),
  WORD_RETRIES: wholeNumber(0, 100, 3, 'How often a call that failed in passing is repeated'),
  LEASE_MS: milliseconds(
    100,
    30_000,
    'How long a claim holds; after it, the events of a consumer that died are claimed again',
  ),
  MAX_ATTEMPTS: wholeNumber(
    1,
    1_000_000,
    5,
    'An attempt that fails is the last if it has this number; one whose lease ran out counts',
  ),
  RETRY_DELAY_MS: milliseconds(1, 10_000, 'Before the second attempt of an event; doubles each time'),
  RETRY_DELAY_MAX_MS: milliseconds(1, 600_000, 'The longest such pause'),
  SHUTDOWN_GRACE_MS: milliseconds(0, 10_000, 'From SIGTERM to exit; what is not filled shortly before is given back'),
  ...databaseSettings,
  ...logSettings,
};

type Variable = keyof typeof consumerSettings;
const VARIABLES = Object.keys(consumerSettings) as Variable[];

export type ConsumerConfig = ReturnType<typeof readConsumerConfig>;

/** Options win over the environment. Throws one error that names everything that can't be used. */
export function readConsumerConfig(args: string[], env: Record<string, string | undefined> = readEnvironment()) {
  const options = Object.fromEntries(VARIABLES.map((name) => [optionName(name), { type: optionType(name) }]));
  const { values } = parseArgs({ args, options });
  const given = { ...env };
  for (const name of VARIABLES) {
    const option = values[optionName(name)];
    if (option === undefined) continue;
    given[name] = option.toString();
    given[`${name}_FILE`] = undefined;
  }
  return readSettings(consumerSettings, given);
}

/** `--batch` is CONSUMER_BATCH, `--lease-ms` is LEASE_MS. */
export function optionName(variable: string): string {
  return variable
    .replace(/^CONSUMER_/, '')
    .toLowerCase()
    .replaceAll('_', '-');
}

function optionType(variable: Variable): 'boolean' | 'string' {
  return consumerSettings[variable].meta()?.['accepts'] === 'true or false' ? 'boolean' : 'string';
}

/** What `--help` prints. */
export function helpText(): string {
  const entries = VARIABLES.map((name) => {
    const option = `--${optionName(name)}${optionType(name) === 'boolean' ? '' : ' …'}`;
    return helpEntry(option, consumerSettings[name], `${name}: ${possible(name, consumerSettings[name])}`);
  });
  return `Usage: npm run consumer -- [options]

Claims events and fills each with a word from the word service, until it is told to stop: Ctrl-C finishes
what is in hand, a second Ctrl-C exits now. Start as many as you like, on any machine that reaches MySQL.
Each option can be given as an environment variable instead; the option wins.

${entries.join('\n')}
  --help                    This text
`;
}
