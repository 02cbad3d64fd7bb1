import { httpPort, milliseconds, secret, url, wholeNumber } from '../../process/setting-kinds.ts';
import { readEnvironment, readSettings } from '../../process/settings.ts';

/** What a person may change. */
export const shownSettings = {
  DUE_AFTER_MS: milliseconds({ min: 0, default: 1_000, why: 'From the creation of an event to its first attempt' }),
  RETRY_AFTER_MS: milliseconds({ default: 10_000, why: 'From an attempt that failed to the next one' }),
  LOG_TTL_MS: milliseconds({ min: 1_000, default: 600_000, why: 'How long the log of attempts is kept' }),
};

const database = 'mysql://user:password@127.0.0.1:3316/messages';
const apiSettings = {
  DATABASE_URL: secret(
    url({ protocols: ['mysql:'], default: database, why: 'A database of the queue that has schema.sql as well' }),
  ),
  PORT: httpPort({ default: 3_001, why: 'The port of an API process' }),
  SYSTEM: wholeNumber({ max: 2, default: 1, why: 'Whose orders it serves' }),
  DUE_AFTER_MS: shownSettings.DUE_AFTER_MS,
};

export const readApiConfig = () => readSettings(apiSettings, readEnvironment());
export const readShownConfig = () => readSettings(shownSettings, readEnvironment());
