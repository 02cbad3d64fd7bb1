import { port, text } from '../../process/settings.ts';

/** The private server of `npm start` and `npm run mysql`. */
export const localServerSettings = {
  MYSQL_PORT: port(3_316, 'Port of the private MySQL server'),
  MYSQL_PROGRAM: text(/^/, 'path', '', 'The mysqld or mariadbd to run; empty: the first that the machine has'),
  DATA_DIRECTORY: text(/./, 'path', '.data', 'Where the private server and nginx keep their files'),
};
