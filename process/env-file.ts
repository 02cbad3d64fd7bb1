import { lstatSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { readText } from './read-text.ts';

const NOTHING = /[ \t]*(?:#.*)?(?:\n|$)/y;
// A quoted value may go on over several lines. What else util.parseEnv takes, it takes for something that nobody meant.
const ASSIGNMENT =
  /[ \t]*(?:export[ \t]+)?([\w.-]+)[ \t]*=[ \t]*(?:(?:"[^"]*"|'[^']*'|`[^`]*`)[ \t]*(?:#.*)?|[^\n"'`].*)?(?:\n|$)/y;

/** The variables of a file such as `.env`; none if it does not exist. Throws one message with every line that is no assignment. */
export function readEnvFile(path: string): Record<string, string> {
  const text = readIfThere(path).replaceAll(/\r\n?/g, '\n');
  const problems = problemsIn(text);
  if (problems.length > 0) throw new Error(`${path} can't be used:\n${problems.join('\n')}`);
  return parseEnv(text) as Record<string, string>;
}

function readIfThere(path: string): string {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) ? readText(path) : '';
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new Error(`${path}: expected a file that can be read (${code ?? message})`, { cause: error });
  }
}

/** Never with the line itself, which may hold a secret. */
function problemsIn(text: string): string[] {
  const problems: string[] = [];
  const seen = new Map<string, number>();
  for (let at = 0; at < text.length; ) {
    const line = text.slice(0, at).split('\n').length;
    const assignment = matchAt(ASSIGNMENT, text, at);
    const name = assignment?.[1];
    if (name && seen.has(name)) problems.push(`  line ${line}: ${name} has a value already, in line ${seen.get(name)}`);
    if (name) seen.set(name, line);
    const known = assignment ?? matchAt(NOTHING, text, at);
    if (!known) problems.push(`  line ${line}: expected NAME=value`);
    at = known ? at + known[0].length : nextLine(text, at);
  }
  return problems;
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

function nextLine(text: string, at: number): number {
  const end = text.indexOf('\n', at);
  return end < 0 ? text.length : end + 1;
}
