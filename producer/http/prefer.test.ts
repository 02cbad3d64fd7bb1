import { expect, test } from 'vitest';
import { preferredWait } from './prefer.ts';

test.each([
  ['wait=10', 10],
  ['wait=0', 0],
  ['wait=007', 7],
  ['wait=999999999', 999_999_999],
  ['WAIT=10', 10],
  ['  wait = 10  ', 10],
  ['wait="10"', 10],
  ['wait=10; foo=bar', 10],
  ['respond-async, wait=10', 10],
  ['respond-async,wait=10,handling=lenient', 10],
  ['wait=10, wait=20', 10],
])('%j asks to wait %i seconds', (header, seconds) => {
  expect(preferredWait(header)).toBe(seconds);
});

test.each([
  ...'wait wait= wait=-1 wait=+1 wait=1.5 wait=1e3 wait=0x10 wait=abc wait=10s wait=१० wait=9999999999'.split(' '),
  ...'wait="abc" wait="" await=10 wait-for=10 respond-async , ; ='.split(' '),
  'wait=1 0',
  'x; wait=10',
  '',
  undefined,
])('%j asks for no wait', (header) => {
  expect(preferredWait(header)).toBeUndefined();
});

// A quote that is not closed, or that closes one preference over a comma.
test.each(['wait="10', 'wait=10"', 'foo="a, wait=10"'])('%j is malformed and asks for no wait', (header) => {
  expect(preferredWait(header)).toBeUndefined();
});
