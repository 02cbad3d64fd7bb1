import { readFile } from 'node:fs/promises';
import { sql } from 'kysely';
import type { Database } from './connect.ts';

/** The statements of a script in this folder, or at a file: URL. */
export async function readScript(file: string): Promise<string[]> {
  return splitStatements(await readFile(new URL(file, import.meta.url), 'utf8'));
}

/** Sends one after the other; any of them may come through a connection of its own. */
export async function runStatements(db: Database, statements: readonly string[]): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

/** A script's statements as the mysql client would send them; DELIMITER is a word of that client, not of the server. */
export function splitStatements(script: string): string[] {
  const statements: string[] = [];
  let delimiter = ';';
  let pending = '';
  for (const line of script.split(/\r?\n/)) {
    const change = /^DELIMITER\s+(\S+)/.exec(line);
    if (change) {
      delimiter = change[1]!;
      continue;
    }
    if (line.trimStart().startsWith('--')) continue;
    const code = line.replace(/\s+-- .*$/, '').trimEnd();
    pending += `${code.endsWith(delimiter) ? code.slice(0, -delimiter.length) : code}\n`;
    if (code.endsWith(delimiter)) {
      statements.push(pending.trim());
      pending = '';
    }
  }
  return statements.filter(Boolean);
}
