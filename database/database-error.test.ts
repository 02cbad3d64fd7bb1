import { describe, expect, test } from 'vitest';
import { classifyFault, DatabaseError, isDuplicateKey } from './database-error.ts';

const serverError = (errno: number) => Object.assign(new Error('from the server'), { errno, code: `ER_${errno}` });
const networkError = (code: string) => Object.assign(new Error('from the network'), { errno: -104, code });

describe('what may be concluded from an error while a write was under way', () => {
  test.each([1213, 1205, 3101, 1020, 1305, 1370])('%i: the server undid it', (errno) => {
    expect(classifyFault(serverError(errno), true)).toBe('not applied');
  });

  test.each([1290, 1792, 1836, 4094, 3032, 1047, 1040, 1203, 1226, 4031])('%i: another server may take it', (errno) => {
    expect(classifyFault(serverError(errno), true)).toBe('unavailable');
  });

  test.each([2013, 3100, 1180, 1053, 1317, 1927])('%i: it may have been applied, unless it was a read', (errno) => {
    expect(classifyFault(serverError(errno), true)).toBe('unknown');
    expect(classifyFault(serverError(errno), false)).toBe('unavailable');
  });

  test.each(['PROTOCOL_CONNECTION_LOST', 'ECONNRESET', 'EPIPE', 'TIME_LIMIT'])(
    '%s: it may have been applied',
    (code) => {
      expect(classifyFault(networkError(code), true)).toBe('unknown');
    },
  );

  test.each([1062, 1064, 1146, 1142, 1045, 1049, 1406, 3819, 4025])('%i: repeating it changes nothing', (errno) => {
    expect(classifyFault(serverError(errno), true)).toBe('permanent');
  });
});

test.each(['ECONNREFUSED', 'ETIMEDOUT', 'EAI_AGAIN', 'ECONNRESET', 'TIME_LIMIT'])(
  '%s before anything could be written means that nothing was',
  (code) => {
    expect(classifyFault(networkError(code), false)).toBe('unavailable');
  },
);

test.each([1044, 1045, 1698])('%i: an account that was let in before may be let in again', (errno) => {
  expect(classifyFault(serverError(errno), false, true)).toBe('unavailable');
  expect(classifyFault(serverError(errno), false, false)).toBe('permanent');
});

test('something that is not an error object is a fault too', () => {
  expect(new DatabaseError('odd', true)).toMatchObject({ fault: 'unknown', code: 'UNKNOWN', message: 'UNKNOWN: odd' });
});

test('the driver’s own error stays the cause', () => {
  const cause = serverError(1062);
  const error = new DatabaseError(cause, true);
  expect(error.cause).toBe(cause);
  expect(isDuplicateKey(error)).toBe(true);
  expect(isDuplicateKey(cause)).toBe(false);
});
