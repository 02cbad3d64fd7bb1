import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toValue } from './to-value.ts';

const cycle: Record<string, unknown> = {};
cycle['self'] = cycle;
const deep = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`) as unknown;

test.each<[string, unknown, string]>([
  ['nothing', undefined, 'null'],
  ['null', null, 'null'],
  ['a number', 4.5, '4.5'],
  ['an empty text', '', '""'],
  ['an object', { a: 1, b: ['ç', true] }, '{"a":1,"b":["ç",true]}'],
  ['a member that is undefined', { a: undefined }, '{}'],
  ['a date', { at: new Date(0) }, '{"at":"1970-01-01T00:00:00.000Z"}'],
  ['a toJSON that says nothing', { toJSON: () => undefined }, 'null'],
  ['the largest text', 'a'.repeat(65_534), `"${'a'.repeat(65_534)}"`],
])('%s is kept as JSON', (_, value, valor) => {
  expect(toValue('email', value)).toEqual({ valor });
});

describe('cannot be kept:', () => {
  test.each<[string, unknown, string]>([
    ['a bigint', 3n, 'a bigint is no JSON'],
    ['a bigint within', { total: [3n] }, 'a bigint is no JSON (at "0")'],
    ['a function', () => 1, 'a function is no JSON'],
    ['a function within, which JSON would leave out', { run: () => 1 }, 'a function is no JSON (at "run")'],
    ['a symbol', Symbol('x'), 'a symbol is no JSON'],
    ['NaN, of which JSON would make null', { mean: Number.NaN }, 'NaN is no JSON (at "mean")'],
    ['Infinity', -Infinity, '-Infinity is no JSON'],
    ['a cycle', cycle, 'Converting circular structure to JSON'],
    [
      'a Promise, of which JSON would make {}',
      { user: Promise.resolve(1) },
      'a Promise is no JSON: await it (at "user")',
    ],
    ['a Map', new Map([['a', 1]]), 'a Map or a Set is no JSON'],
    ['half a character', 'mar\uD83D', 'half of a character is missing'],
    ['half a character in a name', { 'mar\uD83D': 1 }, 'half of a character is missing (at "mar\\ud83d")'],
    ['what is nested too deeply', deep, 'Maximum call stack size exceeded'],
    ['65,537 bytes', 'a'.repeat(65_535), 'it is more than 65,536 bytes of JSON'],
    ['letters of two bytes', 'ç'.repeat(40_000), 'it is more than 65,536 bytes of JSON'],
    ['names of members', { ['a'.repeat(70_000)]: 1 }, 'it is more than 65,536 bytes of JSON'],
    [
      'a toJSON that throws',
      {
        toJSON() {
          throw new Error('not now');
        },
      },
      'not now',
    ],
    [
      'a getter that throws what has no message',
      {
        get a(): number {
          // oxlint-disable-next-line typescript/only-throw-error -- it is what is tested
          throw Object.create(null);
        },
      },
      'something was thrown that has no message',
    ],
  ])('%s', (_, value, reason) => {
    expect(toValue('email', value)).toEqual({ failure: `the value cannot be kept: ${reason}` });
  });
});

test.each<[string, unknown]>([
  ['a million places', Array.from({ length: 1_000_000 })],
  ['a text of 100 MB', { text: 'a'.repeat(100_000_000) }],
  ['a list of a million texts', Array.from({ length: 1_000_000 }, () => 'mar')],
])('a huge value keeps nobody waiting: %s', (_, value) => {
  const begin = performance.now();
  expect(toValue('email', value)).toHaveProperty('failure');
  expect(performance.now() - begin).toBeLessThan(500);
});

test('every JSON value comes back as it was', () => {
  fc.assert(
    fc.property(fc.jsonValue({ noUnicodeString: false, stringUnit: 'grapheme' }), (value) => {
      const outcome = toValue('email', value);
      if ('failure' in outcome) throw new Error(outcome.failure);
      expect(JSON.parse(outcome.valor)).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});

test('whatever a handler returns, it is a failure, or well-formed JSON of at most 65,536 bytes', () => {
  fc.assert(
    fc.property(fc.anything({ withBigInt: true, withDate: true, withMap: true, withSparseArray: true }), (value) => {
      const outcome = toValue('email', value);
      if ('failure' in outcome) return outcome.failure.length > 0;
      JSON.parse(outcome.valor);
      return outcome.valor.isWellFormed() && Buffer.byteLength(outcome.valor) <= 65_536;
    }),
    { numRuns: 1_000 },
  );
});

test.each(['mar', ' ', 'ç'.repeat(255), '🦆'.repeat(255), '"quoted"'])('the word %s is kept as it is', (word) => {
  const valor = toValue('word', word);
  expect(valor).toEqual(
    word === ' ' ? { failure: 'the value of a word cannot be kept: it is empty' } : { valor: word },
  );
});

test.each<[string, unknown, string]>([
  ['nothing', undefined, 'it is no text'],
  ['a number', 7, 'it is no text'],
  ['an empty text', '', 'it is empty'],
  ['256 characters', 'a'.repeat(256), 'it is longer than 255 characters'],
  ['256 characters of two units', '🦆'.repeat(256), 'it is longer than 255 characters'],
  ['half a character', 'mar\uD83D', 'half of a character is missing'],
])('%s is no word', (_, value, reason) => {
  expect(toValue('word', value)).toEqual({ failure: `the value of a word cannot be kept: ${reason}` });
});
