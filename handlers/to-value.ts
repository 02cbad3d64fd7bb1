import { RESULT_LIMIT, WORD_LIMIT } from './limits.ts';
import { reasonOf } from './reason-of.ts';

const BROKEN_TEXT = 'half of a character is missing';

type Value = { valor: string } | { failure: string };

/** The text that is kept of a value: of a word itself, of any other kind JSON. What cannot be kept is a failure. */
export function toValue(kind: string, value: unknown): Value {
  return kind === 'word' ? toWordValue(value) : toJsonValue(value);
}

/** Empty means not filled, also with spaces alone; the column takes 255 characters, and JSON only well-formed ones. */
function toWordValue(value: unknown): Value {
  const lack = lackOfWord(value);
  return lack === undefined ? { valor: value as string } : { failure: `the value of a word cannot be kept: ${lack}` };
}

function lackOfWord(value: unknown): string | undefined {
  if (typeof value !== 'string') return 'it is no text';
  if (!/[^ ]/.test(value)) return 'it is empty';
  if (isLongerThan(WORD_LIMIT, value)) return `it is longer than ${WORD_LIMIT} characters`;
  return value.isWellFormed() ? undefined : BROKEN_TEXT;
}

/** A character takes one unit or two; they are counted only where that decides. */
function isLongerThan(limit: number, text: string): boolean {
  return text.length > 2 * limit || (text.length > limit && Array.from(text).length > limit);
}

function toJsonValue(value: unknown): Value {
  if (value === undefined || value === null) return { valor: 'null' };
  try {
    const text = JSON.stringify(value, createMemberCheck()) ?? 'null';
    if (Buffer.byteLength(text) <= RESULT_LIMIT) return { valor: text };
    return { failure: `the value cannot be kept: ${TOO_LARGE}` };
  } catch (error) {
    const [reason] = reasonOf(error).split('\n');
    return { failure: `the value cannot be kept: ${reason}` };
  }
}

const TOO_LARGE = `it is more than ${RESULT_LIMIT.toLocaleString('en')} bytes of JSON`;

/** Called with each member. What is too large is given up early, since JSON.stringify keeps the whole process waiting. */
function createMemberCheck(): (name: string, value: unknown) => unknown {
  let length = 0;
  return (name, value) => {
    length += typeof value === 'string' ? value.length : 1;
    if (length > RESULT_LIMIT) throw new Error(TOO_LARGE);
    const lack = lackOfJson(value) ?? (name.isWellFormed() ? undefined : BROKEN_TEXT);
    if (lack !== undefined) throw new Error(name === '' ? lack : `${lack} (at ${JSON.stringify(name)})`);
    return value;
  };
}

/** JSON.stringify leaves some of these out, and makes null or {} of others. */
function lackOfJson(value: unknown): string | undefined {
  if (typeof value === 'string') return value.isWellFormed() ? undefined : BROKEN_TEXT;
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : `${value} is no JSON`;
  if (typeof value === 'object') return lackOfObject(value);
  return typeof value === 'boolean' || value === undefined ? undefined : `a ${typeof value} is no JSON`;
}

function lackOfObject(value: object | null): string | undefined {
  if (value instanceof Promise) return 'a Promise is no JSON: await it';
  return value instanceof Map || value instanceof Set ? 'a Map or a Set is no JSON' : undefined;
}
