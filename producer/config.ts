import { databaseSettings } from '../database/config.ts';
import { logSettings } from '../process/json-log.ts';
import {
  list,
  milliseconds,
  oneOf,
  port,
  readEnvironment,
  readSettings,
  secret,
  text,
  wholeNumber,
} from '../process/settings.ts';
import { environmentHelp } from '../process/settings-help.ts';

const tokens = (why: string) =>
  secret(list((hash) => /^[0-9a-f]{64}$/.test(hash), 'SHA-256 hashes in hex, with commas between', why));

/** Every setting of a producer, by the environment variable that sets it. */
export const producerSettings = {
  ...databaseSettings,
  PORT: port(3_000, 'Port to listen on; 0 takes a free one', 0),
  HOST: text(/^\S+$/, 'address', '127.0.0.1', 'Address to listen on; 0.0.0.0 in a container'),
  SYNC_POLL_MS: milliseconds(1, 100, 'How often the table is looked at, for all waiting create-sync requests together'),
  CREATE_BATCH: wholeNumber(1, 10_000, 1_000, 'Most create requests that share one transaction'),
  CREATE_QUEUE_LIMIT: wholeNumber(
    10_000,
    10_000_000,
    50_000,
    'Most events waiting to be inserted; a create beyond is answered 503',
  ),
  CREATE_WAIT_MS: milliseconds(1, 500, 'Longest wait of a create for its transaction to begin; then 503'),
  WAITING_LIMIT: wholeNumber(
    1,
    1_000_000,
    20_000,
    'Most requests held at once, by create-sync and Prefer: wait; a further one is answered 503',
  ),
  IDEMPOTENCY_TTL_MS: milliseconds(
    1_000,
    86_400_000,
    'How long an Idempotency-Key is remembered; a repeat after that is a new create',
    2_592_000_000,
  ),
  RECEIVE_MS: milliseconds(100, 10_000, 'For a request to arrive whole; then 408. Its answer may take longer'),
  CONNECTION_LIMIT: wholeNumber(1, 1_000_000, 25_000, 'Most connections at once; a further one is closed unanswered'),
  LOG_REQUESTS: oneOf(
    ['auto', 'all', 'failed'],
    'auto',
    'Which requests have a line at the level info; auto: all in a terminal, else those that failed',
  ),
  SHUTDOWN_GRACE_MS: milliseconds(
    0,
    10_000,
    'From SIGTERM to exit; held requests are answered 202 shortly before. Below 5000 a restart may cost requests',
  ),
  API_TOKENS: tokens('Of the tokens one of which every request must carry, but for probes and the docs; empty: none'),
  OPERATOR_TOKENS: tokens(
    'Of the tokens for /operator, which shows and revives the dead; empty: there is no such path',
  ),
  CORS_ORIGINS: list(isOrigin, 'origins such as https://example.org, with commas between', 'Whose pages may call'),
  ...logSettings,
};

/** As a browser writes it: in lower case, without a path or the scheme's own port. */
function isOrigin(text: string): boolean {
  return /^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text;
}

export type ProducerConfig = ReturnType<typeof readProducerConfig>;

/** Throws one error that names every setting that can't be used. */
export function readProducerConfig(env: Record<string, string | undefined> = readEnvironment()) {
  return readSettings(producerSettings, env);
}

/** What `--help` prints. */
export const helpText = () =>
  environmentHelp(
    `Usage: npm run producer

Serves the HTTP API that creates events, until it is told to stop: Ctrl-C answers what is under way, a second Ctrl-C
exits now. Start as many as you like; nginx shares the requests out among them.
`,
    producerSettings,
  );
