import { expect, test } from 'vitest';
import { webhookHandlers } from './webhook-handlers.ts';

test('each --webhook is the handler of its kind', () => {
  const { kinds } = webhookHandlers(['email=https://example.org/hook?a=b', 'report=http://127.0.0.1:8080'], {
    attempts: 3,
  });
  expect(kinds).toMatchObject([
    { kind: 'email', style: 'single', attempts: 3 },
    { kind: 'report', style: 'single', attempts: 3 },
  ]);
});

test.each<[string[], string]>([
  [[''], '--webhook cannot be used: expected kind=URL, such as email=https://example.org/hooks/email.'],
  [['email'], '--webhook cannot be used: expected kind=URL'],
  [['https://example.org/s3cret?a=b'], '--webhook cannot be used: expected kind=URL'],
  [['email='], '--webhook cannot be used: expected kind=URL'],
  [['E-Mail=https://example.org'], `--webhook E-Mail=… cannot be used: 'E-Mail' cannot be a kind`],
  [['email=s3cret'], '--webhook email=… cannot be used: The address of a webhook cannot be used: expected an absolute'],
  [['email=file:///s3cret'], 'expected an absolute URL with http or https'],
  [['email=https://ana:s3cret@example.org'], 'has a user or a password'],
  [['email=http://example.org:25'], 'has the port 25: expected one that fetch does not block'],
  [['a=http://x', 'b=http://x', 'a=http://y'], `The kind 'a' has a handler in --webhook a=… and in --webhook a=…`],
])('%j is refused in one sentence without the URL', (given, sentence) => {
  expect(() => webhookHandlers(given)).toThrow(sentence);
  expect(() => webhookHandlers(given)).not.toThrow(/s3cret|\n/);
});
