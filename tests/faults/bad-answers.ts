import { gzipSync } from 'node:zlib';
import type { WordFault } from './unique-words.ts';

export const MEGABYTE = 1_048_576;

/** The same answer to every call. */
export const say =
  (
    body: string | Buffer,
    status = 200,
    headers: Record<string, string> = { 'Content-Type': 'application/json' },
  ): WordFault =>
  (response) =>
    void response
      .on('error', () => {})
      .writeHead(status, headers)
      .end(body);

/** As many of the same as were asked for. */
const sayAll =
  (word: unknown): WordFault =>
  (response, words) =>
    say(JSON.stringify(Array.from({ length: words }, () => ({ word }))))(response, words, response.req);

/** What must never get through. Nothing of it is a word that the service issued. */
export const BAD_ANSWERS: Record<string, WordFault> = {
  nothing: say(''),
  'no words': say('[]'),
  'a page': say('<!doctype html><p>Olá</p>', 200, { 'Content-Type': 'text/html' }),
  NUL: sayAll('\u0000'),
  'broken UTF-8': say(Buffer.from('[{"word":"pala\xff\xfevra"}]', 'latin1')),
  '300 letters': sayAll('a'.repeat(300)),
  'another JSON': say('{"words":["palavra"]}'),
  spaces: sayAll('   '),
  markup: sayAll('<b>palavra</b>'),
  'a number': sayAll(7),
  'a redirect inside': say('', 302, { Location: 'http://127.0.0.1:1/' }),
  '204': say('', 204, {}),
};

/** Of these, nothing may be kept in memory either. */
export const HEAVY_ANSWERS: Record<string, WordFault> = {
  '10 MB': say(Buffer.alloc(10 * MEGABYTE, 'a')),
  'a gzip bomb': say(gzipSync(Buffer.alloc(50 * MEGABYTE, ' ')), 200, {
    'Content-Type': 'application/json',
    'Content-Encoding': 'gzip',
  }),
};
