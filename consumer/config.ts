import { hostname } from 'node:os';
import { parseArgs } from 'node:util';
import { databaseSettings } from '../database/config.ts';
import { BLOCKED_PORTS } from '../process/blocked-ports.ts';
import { logSettings } from '../process/json-log.ts';
import { list, milliseconds, secret, text, url, wholeNumber } from '../process/setting-kinds.ts';
import { readEnvironment, readSettings } from '../process/settings.ts';
import { helpEntry, possible } from '../process/settings-help.ts';
import { CONSUMER_DEFAULTS } from './options.ts';

const MACHINE = hostname()
  .replaceAll(/[^\w.-]/g, '-')
  .slice(0, 32);

/** Every setting of a consumer, by the environment variable that sets it. Each is an option in a terminal as well. */
export const consumerSettings = {
  CONSUMER_NAME: text({
    pattern: /^[\w.-]{1,32}$/,
    accepts: 'letters, digits, _ . -, at most 32',
    default: MACHINE,
    shown: 'the name of the machine',
    why: 'Who claims, in claimed_by and in the log',
  }),
  CONSUMER_BATCH: wholeNumber({
    max: 10_000,
    default: 1_000,
    why: 'The limit of words in one call of the word service; large batches make a drain fast',
  }),
  CONSUMER_CONCURRENCY: wholeNumber({
    max: 100,
    default: 2,
    why: 'The limit of calls of the word service at once',
  }),
  CONSUMER_POLL_MS: milliseconds({
    default: CONSUMER_DEFAULTS.pollMs,
    // With a longer one, what a dead consumer held would be filled later than docs/guarantees.md promises.
    max: 1_000,
    why: 'The pause between two claims while nothing is due; while events come it is shorter by itself',
  }),
  WORD_SERVICE_URL: url({
    protocols: ['http:', 'https:'],
    default: 'http://127.0.0.1:3900/api',
    lacks: lacksOfServiceUrl,
    why: 'Where words come from, asked with ?language=pt-br&words=N',
  }),
  WORD_ATTEMPT_MS: milliseconds({
    default: 5_000,
    why: 'The time limit of one call of the word service; a call that fails is repeated up to three times',
  }),
  WEBHOOK_SECRETS: secret(
    list({
      isValid: (value) => /^whsec_[A-Za-z0-9+/]+={0,2}$/.test(value),
      accepts: 'whsec_ and base64; two with a comma between while one is replaced, the new one first',
      why: 'What the calls of --webhook are signed with, as Standard Webhooks say; without one they are not signed',
    }),
  ),
  LEASE_MS: milliseconds({
    min: 1_000,
    default: CONSUMER_DEFAULTS.leaseMs,
    why: 'How long a claim lasts unless it is renewed; then the events of a consumer that died are claimed again',
  }),
  TRANSACTION_MS: milliseconds({
    min: 1_000,
    max: 60_000,
    default: 5_000,
    why: 'The time limit of a transaction in which handlers write, at most LEASE_MS; then it is rolled back, also if its process is frozen',
  }),
  MAX_ATTEMPTS: wholeNumber({
    max: 1_000_000,
    default: 5,
    why: 'A word is dead after so many failures; a lost lease counts as one',
  }),
  RETRY_DELAY_MS: milliseconds({
    default: 10_000,
    why: 'The pause after the first failure of a word; it doubles each time, up to 60 times as long',
  }),
  LOG_TTL_MS: milliseconds({
    min: 1_000,
    max: 30 * 86_400_000,
    default: CONSUMER_DEFAULTS.logTtlMs,
    why: 'How long the lines of the log are kept that say how attempts ended; of several consumers the least counts',
  }),
  SHUTDOWN_GRACE_MS: milliseconds({
    min: 0,
    default: 10_000,
    why: 'From SIGTERM to exit; events that are not filled shortly before are given back',
  }),
  ...databaseSettings,
  ...logSettings,
};

/** What is worked on; without either, words alone. The module is code, and not a setting of the environment. */
export const workOptions = {
  handlers: {
    type: 'string',
    label: '--handlers FILE',
    why: 'A module that exports defineHandlers({ … }); see docs/handlers.md',
  },
  webhook: {
    type: 'string',
    multiple: true,
    label: '--webhook KIND=URL',
    why: 'Events of this kind go to this address, as POST with JSON; may be given several times',
  },
} as const;

/** What is for a terminal only: in the environment of `npm start`, CONSUMER_ONCE would start its consumers again for ever. */
const FLAGS = {
  once: 'Work until nothing is due, then exit',
  quiet: 'In a terminal: no line for each event, only what goes wrong',
  verbose: 'In a terminal: a line for each event, however many there are',
};

/** fetch takes no credentials from a URL: it would fail at each call, with the URL in its message. */
function lacksOfServiceUrl({ username, password, port }: URL): string | undefined {
  if (username !== '' || password !== '') return 'URL without user and password';
  return BLOCKED_PORTS.has(Number(port)) && port !== '' ? 'URL with a port that fetch does not block' : undefined;
}

type Variable = keyof typeof consumerSettings;
const VARIABLES = Object.keys(consumerSettings) as Variable[];

export type ConsumerConfig = ReturnType<typeof readConsumerConfig>;

/** Options win over the environment. Throws one error that names everything that can't be used. */
export function readConsumerConfig(args: string[], env: Record<string, string | undefined> = readEnvironment()) {
  const flag = { type: 'boolean' } as const;
  const options = Object.fromEntries(VARIABLES.map((name) => [optionName(name), { type: 'string' } as const]));
  const { values } = parseArgs({
    args,
    options: { ...options, ...workOptions, once: flag, quiet: flag, verbose: flag },
  });
  const given = { ...env };
  for (const name of VARIABLES) {
    const option = (values as Record<string, string | undefined>)[optionName(name)];
    if (option === undefined) continue;
    given[name] = option;
    given[`${name}_FILE`] = undefined;
  }
  const { once = false, quiet = false, verbose = false, handlers, webhook: webhooks = [] } = values;
  return { ...readSettings(consumerSettings, given), once, quiet, verbose, handlers, webhooks };
}

/** `--batch` is CONSUMER_BATCH, `--lease-ms` is LEASE_MS. */
export function optionName(variable: string): string {
  return variable
    .replace(/^CONSUMER_/, '')
    .toLowerCase()
    .replaceAll('_', '-');
}

/** The lines of `--help` about what is worked on. */
export function workHelp(): string[] {
  return Object.values(workOptions).map(({ label, why }) => `  ${label.padEnd(26)}${why}`);
}

/** What `--help` prints. */
export function helpText(): string {
  const entries = VARIABLES.map((name) => {
    const setting = consumerSettings[name];
    return helpEntry(`--${optionName(name)} …`, setting, `${name}: ${possible(name, setting)}`);
  });
  const work = workHelp();
  const flags = Object.entries({ ...FLAGS, help: 'This text' });
  return `Usage: npm run consumer -- [options]

Claims events and fills each: with a word from the word service, or with what handlers of yours make of it. Ctrl-C finishes
the events in progress; a second Ctrl-C exits at once. Start as many as you like, on any machine that reaches MySQL.

${work.join('\n')}

Each of these can be given as an environment variable instead; the option wins.

${entries.join('\n')}
${flags.map(([name, why]) => `  ${`--${name}`.padEnd(26)}${why}`).join('\n')}
`;
}
