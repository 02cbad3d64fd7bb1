import { port, text } from '../../process/setting-kinds.ts';

/** The private server of `npm start` and `npm run mysql`. */
export const localServerSettings = {
  MYSQL_PORT: port({
    default: 3_316,
    why: 'The port of the private MySQL server; those of `npm run cluster` have the three after it',
  }),
  MYSQL_PROGRAM: text({
    pattern: /^/,
    accepts: 'path',
    default: '',
    why: 'The mysqld or mariadbd to run; empty: the first that this machine has',
  }),
  DATA_DIRECTORY: text({
    pattern: /./,
    accepts: 'path',
    default: '.data',
    why: 'The folder for the files of the private server and of nginx',
  }),
};
