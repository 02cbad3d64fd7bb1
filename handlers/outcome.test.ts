import { expect, test } from 'vitest';
import { dead, later, toOutcome } from './outcome.ts';

const outcomeOf = (result: unknown) => toOutcome('email', result);

test('later() gives the ms, dead() the reason, an Error its message, anything else its JSON', () => {
  expect(outcomeOf(later(1_500))).toEqual({ laterMs: 1_500 });
  expect(outcomeOf(dead('no such user'))).toEqual({ dead: 'no such user' });
  expect(outcomeOf(new Error('busy'))).toEqual({ failure: 'busy' });
  expect(outcomeOf({ dead: 'no' })).toEqual({ valor: '{"dead":"no"}' });
});

test('later() takes up to a year, in whole ms', () => {
  expect(outcomeOf(later(0))).toEqual({ laterMs: 0 });
  expect(outcomeOf(later(0.2))).toEqual({ laterMs: 1 });
  expect(outcomeOf(later(31_536_000_000))).toEqual({ laterMs: 31_536_000_000 });
});

test.each([-1, Number.NaN, Infinity, 31_536_000_001, '5' as unknown as number])('later(%s) is refused', (ms) => {
  expect(() => later(ms)).toThrow(/^later\(.+\): expected milliseconds, from 0 to a year/);
});

test.each<[string, string, string]>([
  ['a long one is cut', 'ã'.repeat(300), 'ã'.repeat(255)],
  ['no character is cut in two', '🦆'.repeat(300), '🦆'.repeat(255)],
  ['half a character becomes a sign for it', 'mar\uD83D', 'mar\uFFFD'],
  ['an empty one says so', '', 'no reason was given'],
])('of the reason of dead(): %s', (_, reason, kept) => {
  expect(outcomeOf(dead(reason))).toEqual({ dead: kept });
});

test('a result that cannot even be looked at is a failure', () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  expect(outcomeOf(proxy)).toEqual({ failure: expect.stringContaining('revoked') });
});
