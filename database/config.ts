import { milliseconds, secret, url } from '../process/setting-kinds.ts';
import { hostUrls, lacksOfDatabaseUrl } from './database-url.ts';

/** The settings of every process that talks to the database. */
export const databaseSettings = {
  DATABASE_URL: secret(
    url({
      protocols: ['mysql:'],
      default: 'mysql://user:password@127.0.0.1:3316/messages',
      accepts: 'URL such as mysql://user:password@127.0.0.1:3316/messages, or with several hosts, h1:3306,h2:3306',
      split: hostUrls,
      lacks: lacksOfDatabaseUrl,
      why: 'MySQL 8.4+ or MariaDB 10.6+, with database/init.sql loaded; of several hosts the one that takes writes is used',
    }),
  ),
  DATABASE_TIMEOUT_MS: milliseconds({
    min: 2_000, // servers know no lock timeout below a second, and a statement may wait twice
    default: 10_000,
    why: 'The time limit of one statement; the outcome of a write that exceeds it is unknown',
  }),
};
