import { milliseconds, secret, url, wholeNumber } from '../process/settings.ts';

/** The settings of every process that talks to the database. */
export const databaseSettings = {
  DATABASE_URL: secret(
    url(
      /^mysql$/,
      'mysql://user:password@127.0.0.1:3316/messages',
      'mysql://user:password@127.0.0.1:3316/messages',
      'MySQL 8.4+ or MariaDB 10.6+, with database/init.sql loaded',
    ),
  ),
  DATABASE_POOL_SIZE: wholeNumber(2, 1_000, 10, 'Most connections of one process; all work is in batches, so few do'),
  DATABASE_TIMEOUT_MS: milliseconds(100, 10_000, 'For one statement; then a write counts as unknown'),
};
