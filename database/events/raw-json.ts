/** Cuts the texts of values out of JSON that JSON.parse has taken: parsed and written again, they would lose digits. */

/** The text of an object's member, or undefined. Of a name that is given twice the last counts, as for JSON.parse. */
export function memberText(object: string, name: string): string | undefined {
  const texts = textsIn(object);
  for (let index = texts.length - 2; index >= 0; index -= 2) {
    if (JSON.parse(texts[index]!) === name) return texts[index + 1];
  }
  return undefined;
}

/** The texts of a list's elements; of an object's names and values in turn. */
export function textsIn(container: string): string[] {
  const inside = container.trim().slice(1, -1);
  const texts: string[] = [];
  for (let start = skip(SEPARATORS, inside, 0); start < inside.length; ) {
    const end = endOfValue(inside, start);
    texts.push(inside.slice(start, end));
    start = skip(SEPARATORS, inside, end);
  }
  return texts;
}

const SEPARATORS = /[\s,:]*/y;
const SCALAR = /[^\s,:]+/y;
const UNSTRUCTURED = /[^"[\]{}]+/y;

function skip(what: RegExp, text: string, from: number): number {
  what.lastIndex = from;
  return what.test(text) ? what.lastIndex : from;
}

/** Counts brackets rather than calling itself: a text may be nested more deeply than the stack is. */
function endOfValue(text: string, start: number): number {
  let at = start;
  let depth = 0;
  do {
    const char = text[at]!;
    if ('[{'.includes(char)) depth++;
    if (']}'.includes(char)) depth--;
    if ('[{]}'.includes(char)) at++;
    else if (char === '"') at = endOfString(text, at);
    else at = skip(depth > 0 ? UNSTRUCTURED : SCALAR, text, at);
  } while (depth > 0);
  return at;
}

function endOfString(text: string, start: number): number {
  let end = start;
  do end = text.indexOf('"', end + 1);
  while (isEscaped(text, end));
  return end + 1;
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0;
  while (text[at - 1 - backslashes] === '\\') backslashes++;
  return backslashes % 2 === 1;
}
