import { describe, expect, test } from 'vitest';
import { classifyFault, DatabaseError, isDuplicateKey } from './database-error.ts';

const serverError = (errno: number, sqlState = 'HY000') =>
  Object.assign(new Error('from the server'), { errno, sqlState, code: `ER_${errno}` });
const networkError = (code: string) => Object.assign(new Error('from the network'), { errno: -104, code });

describe('what may be concluded from an error while a write was under way', () => {
  test.each([
    [1213, '40001'],
    [1205, 'HY000'],
    [3101, '40000'],
    [1020, 'HY000'],
    [1412, 'HY000'],
    [1305, '42000'],
    [1370, '42000'],
    [4321, '40002'], // of no list: by its class
  ])('%i %s: the server undid it', (errno, sqlState) => {
    expect(classifyFault(serverError(errno, sqlState), true)).toBe('not applied');
  });

  test.each([
    [1290, 'HY000'],
    [1792, '25006'],
    [1836, 'HY000'],
    [4094, 'HY000'],
    [3032, 'HY000'],
    [1047, '08S01'],
    [1040, '08004'],
    [1203, '42000'],
    [1226, '42000'],
    [4031, 'HY000'],
    [1021, 'HY000'],
    [1114, 'HY000'],
    [9001, 'HY000'],
  ])('%i %s: nothing was applied, and a server may take it later', (errno, sqlState) => {
    expect(classifyFault(serverError(errno, sqlState), true)).toBe('unavailable');
  });

  test.each([
    [2013, 'HY000'],
    [3100, 'HY000'],
    [1180, 'HY000'],
    [1053, '08S01'],
    [1317, '70100'],
    [1927, '70100'],
    [1969, '70100'],
    [3024, 'HY000'],
    [1105, 'HY000'],
    [1159, '08S01'],
    [1041, 'HY000'],
    [1030, 'HY000'],
    [9002, 'HY000'],
    [12_345, 'HY000'], // which nobody knows
  ])('%i %s: it may have been applied, unless it was a read', (errno, sqlState) => {
    expect(classifyFault(serverError(errno, sqlState), true)).toBe('unknown');
    expect(classifyFault(serverError(errno, sqlState), false)).toBe('unavailable');
  });

  test.each(['PROTOCOL_CONNECTION_LOST', 'ECONNRESET', 'EPIPE', 'TIME_LIMIT', 'TRANSACTION_OPEN'])(
    '%s: it may have been applied',
    (code) => {
      expect(classifyFault(networkError(code), true)).toBe('unknown');
    },
  );

  test.each([
    [1062, '23000'],
    [1064, '42000'],
    [1146, '42S02'],
    [1142, '42000'],
    [1318, '42000'],
    [1045, '28000'],
    [1049, '42000'],
    [1406, '22001'],
    [3819, 'HY000'],
    [4025, '23000'],
    [1644, '45000'],
    [1449, 'HY000'],
    [1665, 'HY000'],
    [3854, 'HY000'],
    [1153, '08S01'],
  ])('%i %s: repeating it changes nothing', (errno, sqlState) => {
    expect(classifyFault(serverError(errno, sqlState), true)).toBe('permanent');
  });
});

test.each(['ECONNREFUSED', 'ETIMEDOUT', 'EAI_AGAIN', 'ECONNRESET', 'TIME_LIMIT'])(
  '%s before anything could be written means that nothing was',
  (code) => {
    expect(classifyFault(networkError(code), false)).toBe('unavailable');
  },
);

test.each([
  2003, // of a router without a primary, in place of a greeting
  1129, // this host is blocked
  1135, // no thread for a connection
  3118, // the account is locked
  4151, // the same, on MariaDB
  1862, // the password has expired
])('%i in place of a greeting passes, even at start', (errno) => {
  expect(classifyFault(serverError(errno), false)).toBe('unavailable');
});

test.each([
  [1044, '42000'],
  [1045, '28000'],
  [1698, '28000'],
  [1049, '42000'],
])('%i %s: an account or database that was there before may be let in again', (errno, sqlState) => {
  expect(classifyFault(serverError(errno, sqlState), false, true)).toBe('unavailable');
  expect(classifyFault(serverError(errno, sqlState), false, false)).toBe('permanent');
});

test('an error that a person can mend says how, before what the server says', () => {
  expect(new DatabaseError(serverError(1146, '42S02'), false).message).toBe(
    'The tables are missing; run npm run migrate. (ER_1146: from the server)',
  );
});

test('something that is not an error object is a fault too', () => {
  expect(new DatabaseError('odd', true)).toMatchObject({ fault: 'unknown', code: 'UNKNOWN', message: 'UNKNOWN: odd' });
});

test('the driver’s own error stays the cause', () => {
  const cause = serverError(1062, '23000');
  const error = new DatabaseError(cause, true);
  expect(error.cause).toBe(cause);
  expect(isDuplicateKey(error)).toBe(true);
  expect(isDuplicateKey(cause)).toBe(false);
});
