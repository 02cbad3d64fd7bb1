import { httpPort, milliseconds, secret, url } from '../../process/setting-kinds.ts';
import { readEnvironment, readSettings } from '../../process/settings.ts';

const processor = (port: number) =>
  url({ protocols: ['http:', 'https:'], default: `http://127.0.0.1:${port}`, why: 'The address of a processor' });
const database = 'mysql://user:password@127.0.0.1:3316/messages';
const DATABASE_URL = secret(
  url({ protocols: ['mysql:'], default: database, why: 'A database of the queue that has schema.sql as well' }),
);

/** What a person may change. */
export const shownSettings = {
  LONGEST_DELAY_MS: milliseconds({
    default: 2_000,
    why: 'The longest delay of a processor; a payment is stored after twice as long and a second, or never',
  }),
};

const apiSettings = { DATABASE_URL, PORT: httpPort({ min: 0, default: 9_999, why: 'The port of an API process' }) };
const workerSettings = {
  DATABASE_URL,
  DEFAULT_PROCESSOR_URL: processor(8_001),
  FALLBACK_PROCESSOR_URL: processor(8_002),
  ...shownSettings,
};

export const readApiConfig = () => readSettings(apiSettings, readEnvironment());
export const readWorkerConfig = () => readSettings(workerSettings, readEnvironment());
