import { array, assert, constantFrom, json, jsonValue, property, stringMatching, tuple } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { memberText, textsIn } from './raw-json.ts';

const space = stringMatching(/^[ \t\r\n]{0,3}$/);
/** JSON texts as somebody may write them: on one line or several, with numbers that no double holds. */
const text = constantFrom(0, 2).chain((indent) => jsonValue().map((value) => JSON.stringify(value, null, indent)));
const awkward = constantFrom(
  '12345678901234567890',
  '-0',
  '1.0',
  '1E5',
  '{"a":1,"a":2}',
  '"\\u0061\\/\\ud800"',
  '"\\\\"',
);
const value = tuple(text, awkward, json()).chain((texts) => constantFrom(...texts));
const name = constantFrom('payload', 'p\\u0061yload', 'pay\\u006Coad', '\\u0070ayload');
const otherName = constantFrom('"a"', '"payloads"', '""', '"\\"payload\\":"', '"pay\\\\load"', '"}"', '"[,"');

describe('memberText', () => {
  test('cuts out what was put in, however it is written and whatever is around it', () => {
    const others = array(tuple(otherName, value), { maxLength: 3 });
    const object = tuple(others, name, value, others, space);
    assert(
      property(object, ([before, written, payload, after, blank]) => {
        const members = [...before, [`"${written}"`, payload], ...after];
        const body = `${blank}{${members.map(([key, text]) => `${blank}${key}${blank}:${blank}${text}${blank}`).join()}}${blank}`;
        JSON.parse(body);
        expect(memberText(body, 'payload')).toBe(payload.trim());
      }),
      { numRuns: 1_000 },
    );
  });

  test.each([
    ['nothing', '{}'],
    ['another member', '{"a":{"payload":1}}'],
    ['a value of that name', '{"a":"payload","b":["payload",1]}'],
  ])('finds none in an object with %s', (_, object) => {
    expect(memberText(object, 'payload')).toBeUndefined();
  });

  test('takes the last of a name that is given twice, as JSON.parse does', () => {
    const object = '{"payload":1,"a":0,"p\\u0061yload": {"x":1, "x":2} ,"b":3}';
    expect(JSON.parse(object)).toMatchObject({ payload: { x: 2 } });
    expect(memberText(object, 'payload')).toBe('{"x":1, "x":2}');
  });
});

test('textsIn cuts a list into its elements', () => {
  assert(
    property(array(value), space, (elements, blank) => {
      const list = `${blank}[${elements.map((element) => blank + element + blank).join()}]`;
      expect(textsIn(list)).toEqual(elements.map((element) => element.trim()));
    }),
  );
});

test.each([
  ['lists', '['.repeat(1_000_000) + ']'.repeat(1_000_000)],
  ['objects', `${'{"a":'.repeat(500_000)}1${'}'.repeat(500_000)}`],
  ['a long text', `"${'\\\\a'.repeat(1_000_000)}"`],
])('%s of any depth and length are cut without calling deeper', (_, long) => {
  expect(memberText(`{"payload":${long},"key":"k"}`, 'payload')).toBe(long);
});
