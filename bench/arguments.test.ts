import { expect, test } from 'vitest';
import { parseArguments } from './arguments.ts';

const parse = (...args: string[]) => parseArguments(args, ['B1', 'B5', 'B13']);

test('without arguments everything runs, and B13 for its five minutes', () => {
  expect(parse()).toEqual({
    help: false,
    only: [],
    quick: false,
    isWhole: true,
    peers: false,
    steadySeconds: 300,
    profiles: undefined,
    name: undefined,
  });
});

test('scenarios are chosen by name, in any case', () => {
  expect(parse('--only', 'b1, B5').only).toEqual(['B1', 'B5']);
  expect(() => parse('--only', 'B1,B99')).toThrow('there is no B99; there are B1, B5, B13');
});

test('a run that leaves anything out, or shortens it, is not a whole one', () => {
  const shortened = [['--quick'], ['--only', 'B1'], ['--steady-seconds', '60']];
  expect(shortened.map((args) => parse(...args).isWhole)).toEqual([false, false, false]);
  expect(parse('--steady-seconds', '600').isWhole).toBe(true);
});

test('a quick run shortens B13, unless its length is given', () => {
  expect(parse('--quick').steadySeconds).toBe(30);
  expect(parse('--quick', '--steady-seconds', '90').steadySeconds).toBe(90);
});

test.each([
  ['--steady-seconds', '5m'],
  ['--steady-seconds', '19'],
  ['--name', '../elsewhere'],
  ['--fast', ''],
])('%s %s is refused', (...args) => {
  expect(() => parse(...args)).toThrow(args[0]);
});
