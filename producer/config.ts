import { databaseSettings } from '../database/config.ts';
import { LARGEST_PAYLOAD_LIMIT, PAYLOAD_LIMIT } from '../database/events/limits.ts';
import { logSettings } from '../process/json-log.ts';
import { address, httpPort, list, milliseconds, secret, wholeNumber } from '../process/setting-kinds.ts';
import { readEnvironment, readSettings } from '../process/settings.ts';
import { environmentHelp } from '../process/settings-help.ts';

const tokenHashes = (why: string) =>
  secret(
    list({
      isValid: (hash) => /^[0-9a-f]{64}$/.test(hash),
      accepts: 'SHA-256 hashes in hex, with commas between',
      why,
    }),
  );

/** Every setting of a producer, by the environment variable that sets it. */
export const producerSettings = {
  ...databaseSettings,
  PORT: httpPort({ min: 0, default: 3_000, why: 'The port to listen on; 0 takes a free one' }),
  HOST: address({ default: '127.0.0.1', why: 'The address to listen on; 0.0.0.0 in a container' }),
  SYNC_POLL_MS: milliseconds({
    default: 100,
    max: 60_000,
    why: 'The pause between two queries for filled events; one query serves all held requests',
  }),
  CREATE_BATCH: wholeNumber({
    max: 10_000,
    default: 1_000,
    why: 'The limit of create requests that share one transaction',
  }),
  CREATE_WAIT_MS: milliseconds({
    default: 500,
    why: 'How long a create may wait for its transaction to begin; then it is answered 503',
  }),
  PAYLOAD_LIMIT: wholeNumber({
    max: LARGEST_PAYLOAD_LIMIT,
    default: PAYLOAD_LIMIT,
    why: 'The limit of bytes of one payload, as JSON; a larger one is answered 413',
  }),
  WAITING_LIMIT: wholeNumber({
    max: 1_000_000,
    default: 20_000,
    why: 'The limit of held requests, by create-sync and Prefer: wait; a further one is answered 503',
  }),
  IDEMPOTENCY_TTL_MS: milliseconds({
    min: 1_000,
    max: 2_592_000_000,
    default: 86_400_000,
    why: 'How long an Idempotency-Key is remembered; a repeat after that is a new create',
  }),
  SHUTDOWN_GRACE_MS: milliseconds({
    min: 0,
    default: 10_000,
    why: 'From SIGTERM to exit; held requests are answered 202 shortly before. Below 5000 a restart may cost requests',
  }),
  API_TOKENS: tokenHashes(
    'Every request must carry one of these tokens, except to probes and docs; empty: no token is needed',
  ),
  OPERATOR_TOKENS: tokenHashes(
    'Tokens for /operator, which shows and revives dead events, and shows the log; empty: there is no such path',
  ),
  CORS_ORIGINS: list({
    isValid: isOrigin,
    accepts: 'origins such as https://example.org, with commas between',
    why: 'Whose pages may call',
  }),
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

Serves the HTTP API that creates events. Ctrl-C answers the requests in progress; a second Ctrl-C exits at once.
Start as many as you like: nginx shares the requests out among them.
`,
    producerSettings,
  );
