import { createConnection } from 'mysql2/promise';
import { expect, inject, test } from 'vitest';
import { readSettings } from '../process/settings.ts';
import { databaseSettings } from './config.ts';

const read = (DATABASE_URL: string) => readSettings(databaseSettings, { DATABASE_URL }).DATABASE_URL;

test.each([
  ['mysql://eve:ge%heim@db/messages', 'each % of a password written as %25'],
  ['mysql://eve:geheim%@db/messages', 'each % of a password written as %25'],
  ['mysql://eve:geheim@db/100%', 'each % of a password written as %25'],
  ['mysql://eve:geheim@db/messages#geheim', 'each # of a password written as %23'],
  ['mysql://eve:12#geheim@db/messages', 'each # of a password written as %23'],
  ['mysql://eve:12/geheim@db/messages', 'each / of a password written as %2F'],
  ['mysql://eve:12?geheim@db/messages', 'the name of a database at its end'],
  ['mysql://eve:geheim@db', 'the name of a database at its end'],
  ['mysql://eve:geheim@db/', 'the name of a database at its end'],
  ['mysql://eve:geheim@[::1]:3306/messages', 'the name of a host, or its IPv4 address'],
  ['mysql:///messages', 'the name of a host, or its IPv4 address'],
  ['mysql://eve:geheim@db:0/messages', 'a port, 1 to 65535'],
  ['mysql://eve:geheim@db:65536/messages', 'URL such as'],
  ['mysql:eve:geheim@db/messages', 'URL such as'],
  ['eve:geheim@db/messages', 'URL such as'],
  ['mysql://eve:geheim@db/messages?ssl=true', 'ssl={}'],
  ['mysql://eve:geheim@db/messages?ssl=required', 'ssl={}'],
  ['mysql://eve:geheim@db/messages?ssl=[]', 'ssl={}'],
  ['mysql://eve:geheim@db/messages?ssl=null', 'ssl={}'],
  ['mysql://eve:geheim@db/messages?ssl=', 'ssl={}'],
  ['mysql://eve:geheim@db/messages?sslmode=require', 'no option but ssl and socketPath, not sslmode'],
  ['mysql://eve:geheim@db/messages?useSSL=false&serverTimezone=UTC', 'not useSSL, serverTimezone'],
  ['mysql://eve:geheim@db/messages?timezone=local', 'not timezone'],
  ['mysql://eve:geheim@db/messages?password=geheim', 'not password'],
])('%s is refused at start, with what is expected, and its secrets are not repeated', (url, expected) => {
  expect(() => read(url)).toThrow(expected);
  expect(() => read(url)).toThrow(/^ {2}DATABASE_URL="/m);
  expect(() => read(url)).not.toThrow(/geheim/);
  expect(() => read(url)).not.toThrow(/eve/);
});

test.each([
  'mysql://eve:p%40ss%25%2F%23@db:3307/messages',
  'mysql://user@db/messages',
  'mysql://eve:geheim@db/messages?ssl={}',
  'mysql://eve:geheim@db/messages?ssl={"rejectUnauthorized":false}',
  'mysql://eve:geheim@localhost/messages?socketPath=/run/mysqld/mysqld.sock',
])('%s is taken as it is', (url) => {
  expect(read(url)).toBe(url);
});

test('what is taken can be used: a connection with ssl in its URL is encrypted, or says that the server cannot', async () => {
  const uri = read(`${inject('serverUrl')}mysql?ssl={"rejectUnauthorized":false}`);
  const cipher = async () => {
    const connection = await createConnection({ uri });
    const [rows] = await connection.query("SHOW SESSION STATUS LIKE 'Ssl_cipher'");
    await connection.end();
    return (rows as { Value: string }[])[0]!.Value;
  };
  const outcome = await cipher().catch((error: NodeJS.ErrnoException) => error.code);
  expect(outcome).toMatch(/^(TLS_|ECDHE|HANDSHAKE_NO_SSL_SUPPORT)/);
});
