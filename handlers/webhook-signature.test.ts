import { expect, test } from 'vitest';
import { signatureHeader, toSigningKey } from './webhook-signature.ts';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const message = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', timestamp: 1_614_265_330, body: '{"test": 2432232314}' };

test('a message is signed as the test vector of Standard Webhooks is', () => {
  const signed = signatureHeader(message, [toSigningKey(SECRET)]);
  expect(signed).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
});

test('two keys make two signatures, with a space between them', () => {
  const other = `whsec_${Buffer.alloc(64, 7).toString('base64')}`;
  const [first, second, ...more] = signatureHeader(message, [other, SECRET].map(toSigningKey)).split(' ');
  expect(first).toMatch(/^v1,[A-Za-z0-9+/]{43}=$/);
  expect(second).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
  expect(more).toEqual([]);
});

test.each<[unknown, string]>([
  ['', 'nothing'],
  ['MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'no prefix'],
  ['whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'the prefix of another scheme'],
  ['whsec_not base64', 'no base64'],
  [`whsec_${Buffer.alloc(23).toString('base64')}`, '23 bytes'],
  [`whsec_${Buffer.alloc(65).toString('base64')}`, '65 bytes'],
  [undefined, 'undefined'],
])('%j is no secret, and the error does not show it: %s', (secret) => {
  expect(() => toSigningKey(secret)).toThrow(
    /^The secret of a webhook cannot be used: expected whsec_ and base64 of 24 to 64 bytes\.$/,
  );
});
