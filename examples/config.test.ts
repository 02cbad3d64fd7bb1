import { expect, test } from 'vitest';
import { readExampleArgs } from './config.ts';
import { findExamples } from './find-examples.ts';

const examples = await findExamples();

test('without a name all examples are listed', () => {
  const { list } = readExampleArgs([], examples);
  expect(examples.size).toBeGreaterThan(2);
  for (const [name, { about }] of examples) expect(list).toMatch(new RegExp(`^ +${name} +${about}$`, 'm'));
});

test('--help names the settings and commands of an example', () => {
  const { list } = readExampleArgs(['accounts', '--help'], examples);
  expect(list).toMatch(/^ +--rebuild +\S/m);
  expect(list).toMatch(/^ +WAIT_MS +\S/m);
});

test.each([
  [['word'], /there is no example word; there are accounts, .*payments/],
  [['accounts', '--restore'], /--restore/],
])('%j is refused with a sentence', (args, message) => {
  expect(() => readExampleArgs(args, examples)).toThrow(message);
});
