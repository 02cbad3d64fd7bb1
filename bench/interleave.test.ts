import { expect, test } from 'vitest';
import { interleave } from './interleave.ts';

test('the sides take turns, and what they say while warming up does not count', async () => {
  const order: string[] = [];
  const side = (name: string) => async (isWarmUp: boolean) => order.push(isWarmUp ? `${name} warming up` : name);
  const values = await interleave({ a: side('a'), b: side('b') }, 2, () => {});
  expect(order).toEqual(['a warming up', 'b warming up', 'a', 'b', 'a', 'b']);
  expect(values).toEqual({ a: [3, 5], b: [4, 6] });
});
