import { milliseconds, secret, url } from '../process/setting-kinds.ts';
import { lacksOfDatabaseUrl } from './database-url.ts';

/** The settings of every process that talks to the database. */
export const databaseSettings = {
  DATABASE_URL: secret(
    url({
      protocols: ['mysql:'],
      default: 'mysql://user:password@127.0.0.1:3316/messages',
      lacks: lacksOfDatabaseUrl,
      why: 'MySQL 8.4+ or MariaDB 10.6+, with database/init.sql loaded',
    }),
  ),
  DATABASE_TIMEOUT_MS: milliseconds({
    min: 2_000, // servers know no lock timeout below a second, and a statement may wait twice
    default: 10_000,
    why: 'The time limit of one statement; the outcome of a write that exceeds it is unknown',
  }),
};
