import { expect, test } from 'vitest';
import { createRandom } from './random.ts';

const hundred = (seed: number) => {
  const random = createRandom(seed);
  return Array.from({ length: 100 }, () => random.between(1, 6));
};

test('the same seed gives the same numbers, and another seed others', () => {
  expect(hundred(7)).toEqual(hundred(7));
  expect(hundred(7)).not.toEqual(hundred(8));
});

test('what is drawn from a fork does not change what comes next', () => {
  const [one, other] = [createRandom(7), createRandom(7)];
  const fork = one.fork();
  other.fork();
  for (let n = 0; n < 10; n++) fork.next();
  expect(one.next()).toBe(other.next());
  expect(fork.next()).not.toBe(one.next());
});

test('numbers keep within their bounds, reach both, and are spread evenly', () => {
  const random = createRandom(1);
  const thrown = Array.from({ length: 60_000 }, () => random.between(1, 6));
  for (const face of [1, 2, 3, 4, 5, 6]) {
    expect(Math.abs(thrown.filter((number) => number === face).length - 10_000)).toBeLessThan(500);
  }
  expect(thrown.every((number) => number >= 1 && number <= 6)).toBe(true);
  expect(Array.from({ length: 1_000 }, () => random.chance(0.1)).filter(Boolean).length).toBeLessThan(150);
});
