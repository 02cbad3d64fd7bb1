import { DEFAULT_KIND } from './limits.ts';

/** A value as it may be handed on. */
export interface Value {
  /** The text of a word, or the JSON of another kind. */
  valor: string;
  /** What is wrong with what stands in the table. */
  problem?: string;
}

/** Of our handlers a value is JSON; a client of another language may fill any text, which is the value as a string then. */
export function readValue(kind: string, text: string): Value {
  if (kind === DEFAULT_KIND || isJson(text)) return { valor: text };
  return { valor: JSON.stringify(text), problem: 'The value is no JSON; it is given as text.' };
}

/** The same for a payload. */
export function readPayload(text: string | null): { payload: string | null; problem?: string } {
  if (text === null || isJson(text)) return { payload: text };
  return { payload: JSON.stringify(text), problem: 'The payload is no JSON; it is given as text.' };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
