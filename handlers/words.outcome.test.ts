import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toWord } from './words.ts';

test.each([
  'coração',
  'guarda-chuva',
  "d'água",
  'd’água',
  'pé-de-moleque',
  'São',
  'à',
  'слово',
  '言葉',
  'a'.repeat(60),
])('%s is a word', (word) => {
  expect(toWord(word)).toBe(word.normalize('NFC'));
});

test('a word in decomposed form is composed, so that the same word is always the same letters', () => {
  expect(toWord('coração'.normalize('NFD'))).toBe('coração'.normalize('NFC'));
});

describe('is not a word:', () => {
  test.each<[string, unknown]>([
    ['nothing', ''],
    ['spaces', '   '],
    ['a word between spaces', ' mar '],
    ['two words', 'mar alto'],
    ['a line', 'mar\n'],
    ['NUL', '\u0000'],
    ['a word with NUL', 'mar\u0000'],
    ['an invisible sign', 'm\u200Bar'],
    ['a sign that turns the direction', 'm\u202Ear'],
    ['a colour of the terminal', '\u001B[31mmar'],
    ['300 letters', 'a'.repeat(300)],
    ['61 letters', 'a'.repeat(61)],
    ['digits', 'mar42'],
    ['a number', 42],
    ['null', null],
    ['undefined', undefined],
    ['true', true],
    ['an object', { word: 'mar' }],
    ['a list', ['mar']],
    ['markup', '<b>mar</b>'],
    ['a quotation mark', '"mar"'],
    ['an emoji', '🦆'],
    ['half a surrogate pair', 'mar\uD83D'],
    ['a mark without its letter', '\u0301a'],
    ['a hyphen alone', '-'],
    ['a hyphen at the end', 'guarda-'],
    ['a hyphen at the beginning', '-chuva'],
    ['two hyphens together', 'guarda--chuva'],
  ])('%s', (_, given) => {
    expect(toWord(given)).toMatchObject({ message: expect.stringContaining('the word service sent') });
  });
});

test('whatever comes, it is an error, or a word of letters of at most 60 characters', () => {
  const almostWords = fc.string({ unit: fc.constantFrom('a', 'Ç', 'e\u0301', '\u0301', '-', "'", '’', 'ﬃ', '𝒶') });
  const anything = fc.oneof(almostWords, fc.string({ unit: 'binary' }), fc.anything());
  fc.assert(
    fc.property(anything, (given) => {
      const word = toWord(given);
      if (word instanceof Error) return word.message !== '';
      expect(given).toBeTypeOf('string');
      expect(word.length).toBeLessThanOrEqual(60);
      expect(word).toMatch(/^\p{L}[\p{L}\p{M}'’-]*$/u);
      expect(word).toBe((given as string).normalize('NFC'));
      return true;
    }),
    { numRuns: 2_000 },
  );
});

test.each([
  ['letters', `${'a'.repeat(59)}!`],
  ['marks', `a${'\u0301'.repeat(58)}!`],
  ['letters with marks', `${'ǭ'.normalize('NFD').repeat(19)}!`],
  ['hyphens', `${'a-'.repeat(29)}a!`],
  ['hyphens that end the word', 'a-'.repeat(30)],
  ['ten million letters', `${'a'.repeat(10_000_000)}!`],
  ['ten million marks', `a${'\u0301'.repeat(10_000_000)}`],
])('no input keeps the check busy: %s', (_, given) => {
  const begin = performance.now();
  expect(toWord(given)).toBeInstanceOf(Error);
  expect(performance.now() - begin).toBeLessThan(500);
});
