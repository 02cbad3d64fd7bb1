import { httpPort, milliseconds, secret, url } from '../../process/setting-kinds.ts';

export const accountsSettings = {
  DATABASE_URL: secret(
    url({
      protocols: ['mysql:'],
      default: 'mysql://user:password@127.0.0.1:3316/messages',
      why: 'MySQL with the tables of the queue and those of schema.sql',
    }),
  ),
  PORT: httpPort({ default: 3_000, why: 'The port to listen on' }),
  WAIT_MS: milliseconds({
    default: 10_000,
    why: 'How long a caller waits for its transaction; then it is answered 503',
  }),
};
