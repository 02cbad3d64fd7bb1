/** What a person can do about an error that no waiting mends, by the server's number for it. */
const SENTENCES = new Map<number, string>([
  [1044, 'The database refuses this account; check DATABASE_URL.'],
  [1045, 'The database refuses this account; check DATABASE_URL.'],
  [1698, 'The database refuses this account; check DATABASE_URL.'],
  [1130, 'No account of the database may log in from this host; check its accounts.'],
  [1820, 'The password of this account has expired; set a new one.'],
  [1049, 'The database named in DATABASE_URL does not exist; create it, then run npm run migrate.'],
  [1146, 'The tables are missing; run npm run migrate.'],
  [1054, 'The tables are of another version than this program; run its npm run migrate.'],
  [1305, 'A routine is missing; run npm run migrate.'],
  [1318, 'The routines are of another version; run npm run migrate.'],
  [1142, 'This account may not use the tables; run npm run migrate, or load database/accounts.sql into this database.'],
  [1143, 'This account may not use the tables; run npm run migrate, or load database/accounts.sql into this database.'],
  [
    1370,
    'This account may not call the routines; run npm run migrate, or load database/accounts.sql into this database.',
  ],
  [1449, 'The account that loaded database/init.sql is gone; run npm run migrate with another.'],
  [1665, 'The server writes its binary log by statement; set binlog_format to ROW or MIXED.'],
  [1153, 'max_allowed_packet of the server is too small; set it to 16 MB or more.'],
  [1114, 'The server has no room left for the tables; give it some.'],
  [1021, 'The disk of the server is full; make room on it.'],
  [1290, 'The server takes no writes; if that stays so, let DATABASE_URL name the primary.'],
  [1836, 'The server takes no writes; if that stays so, let DATABASE_URL name the primary.'],
  [1792, 'The server takes no writes; if that stays so, let DATABASE_URL name the primary.'],
]);

/** A sentence for whoever reads the log, or undefined. */
export function whatToDo(errno: number): string | undefined {
  return SENTENCES.get(errno);
}
