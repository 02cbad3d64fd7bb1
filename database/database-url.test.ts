import { createConnection } from 'mysql2/promise';
import { expect, inject, test } from 'vitest';
import { readSettings } from '../process/settings.ts';
import { databaseSettings } from './config.ts';
import { hostUrls } from './database-url.ts';

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
  ['mysql://eve:geheim@h1,,h3/messages', 'or with several hosts, h1:3306,h2:3306'],
  ['mysql://eve:geheim@h1,h2,/messages', 'or with several hosts, h1:3306,h2:3306'],
  ['mysql://eve:geheim@h1, h2/messages', 'or with several hosts, h1:3306,h2:3306'],
  ['mysql://eve:geheim@h1,h2:65536/messages', 'URL such as'],
  ['mysql://eve:geheim@h1,h2:0/messages', 'a port, 1 to 65535'],
  ['mysql://eve:geheim@h1,[::1]:3306/messages', 'the name of a host, or its IPv4 address'],
  ['mysql://eve:geheim@h1,h2/', 'the name of a database at its end'],
  ['mysql://eve:geheim@h1,h2/messages?ssl=true', 'ssl={}'],
  ['mysql://eve:ge,h%eim@h1,h2/messages', 'each % of a password written as %25'],
  ['mysql://eve:ge,he/im@h1,h2/messages', 'URL such as'],
  ['mysql://eve:geheim@h1,h2/messages?socketPath=/run/mysqld.sock', 'one host with socketPath, not several'],
  ['mysql://eve:geheim@h1,h2,h1/messages', 'different hosts; one without a port has 3306'],
  ['mysql://eve:geheim@h1:3306,h2:3307,H1/messages', 'different hosts; one without a port has 3306'],
  ['mysql://eve:geheim@h1,h2,h3,h4,h5,h6,h7,h8,h9,h10/messages', 'at most 9 hosts'],
])('%s is refused at start, with what is expected, and its secrets are not repeated', (url, expected) => {
  expect(() => read(url)).toThrow(expected);
  expect(() => read(url)).toThrow(/^ {2}DATABASE_URL="/m);
  expect(() => read(url)).not.toThrow(/geheim/);
  expect(() => read(url)).not.toThrow(/\beve\b/);
});

test.each([
  'mysql://eve:p%40ss%25%2F%23@db:3307/messages',
  'mysql://user@db/messages',
  'mysql://eve:geheim@db/messages?ssl={}',
  'mysql://eve:geheim@db/messages?ssl={"rejectUnauthorized":false}',
  'mysql://eve:geheim@localhost/messages?socketPath=/run/mysqld/mysqld.sock',
  'mysql://eve:geheim@h1,h2/messages',
  'mysql://eve:p%40s,s@h1:3306,h1:3307,10.0.0.3/messages?ssl={}',
  'mysql://h1,h2,h3,h4,h5,h6,h7,h8,h9/messages',
])('%s is taken as it is', (url) => {
  expect(read(url)).toBe(url);
});

test.each([
  ['mysql://eve:p,w@h1/messages', ['mysql://eve:p,w@h1/messages']],
  [
    'mysql://eve:p,w@h1:3306,h2/messages?ssl={}',
    ['h1:3306', 'h2'].map((host) => `mysql://eve:p,w@${host}/messages?ssl={}`),
  ],
  ['mysql://h1,h2,h3:1/a,b', ['mysql://h1/a,b', 'mysql://h2/a,b', 'mysql://h3:1/a,b']],
  ['mysql://h1/a,b@c', ['mysql://h1/a,b@c']],
])('%s has a URL for each host, and a comma elsewhere makes none', (url, urls) => {
  expect(hostUrls(url)).toEqual(urls);
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
