import { expect, test } from 'vitest';
import { reasonOf } from './reason-of.ts';

const refused = Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' });
const endless = new Error('a');
endless.cause = endless;

test.each<[string, unknown, string]>([
  ['an error', new Error('busy'), 'busy'],
  ['an error without a message', new TypeError(), 'TypeError'],
  ['an error with causes', new Error('fetch failed', { cause: new Error('x', { cause: 'y' }) }), 'fetch failed: x: y'],
  ['a refused connection', new TypeError('fetch failed', { cause: refused }), 'fetch failed: ECONNREFUSED'],
  ['an error that repeats its cause', new Error('no: busy', { cause: new Error('busy') }), 'no: busy'],
  ['an error that is its own cause', endless, 'a'],
  ['a text', 'busy', 'busy'],
  ['nothing', undefined, 'no reason was given'],
  ['null', null, 'null'],
  ['an object that cannot be shown', Object.create(null), 'something was thrown that has no message'],
  ['a long message', new Error('a'.repeat(10_000_000)), 'a'.repeat(255)],
])('the reason of %s', (_, thrown, reason) => {
  expect(reasonOf(thrown)).toBe(reason);
});
