import { readFile } from 'node:fs/promises';
import { sql } from 'kysely';
import type { Database } from './connect.ts';

/**
 * Creates what init.sql defines, in the database that `db` points at, or brings its routines up to date; and gives the
 * accounts `producer` and `consumer`, which must be there, the rights of accounts.sql.
 */
export async function loadSchema(db: Database): Promise<void> {
  for (const file of ['init.sql', 'accounts.sql']) {
    const script = await readFile(new URL(file, import.meta.url), 'utf8');
    for (const statement of splitStatements(script)) await sql.raw(statement).execute(db);
  }
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
