import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Problem } from '../http/problem.ts';
import { toEventId } from './event-id.ts';

const LARGEST = 2n ** 53n - 1n;

/** The id, or the status of the refusal. */
function read(text: string): number | string {
  try {
    return toEventId(text);
  } catch (error) {
    if (error instanceof Problem) return String(error.options.status);
    throw error;
  }
}

test('every id that an event can have is read exactly', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 1n, max: LARGEST }), (id) => {
      expect(read(String(id))).toBe(Number(id));
      expect(BigInt(read(String(id)))).toBe(id);
    }),
  );
});

test('a number beyond the largest id is refused, never rounded', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: LARGEST + 1n, max: 10n ** 40n }), (id) => {
      expect(read(String(id))).toBe('400');
    }),
  );
});

test('whatever else is written is refused', () => {
  const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.stringMatching(/^[-+0-9a-fxXeE_. ]{1,20}$/));
  fc.assert(
    fc.property(text, (given) => {
      fc.pre(!/^[1-9][0-9]*$/.test(given));
      expect(read(given)).toBe('400');
    }),
  );
});
