import { sql } from 'kysely';
import type { Database } from './connect.ts';
import { DatabaseError } from './database-error.ts';

/** The version of the tables that init.sql makes, and that this program reads and writes. */
export const SCHEMA_VERSION = 2;

/** Rejects with one sentence where the tables are of another version, or have none. Locks nothing. */
export async function checkSchemaVersion(db: Database): Promise<void> {
  const version = await readVersion(db);
  if (version === SCHEMA_VERSION) return;
  if (version !== undefined && version > SCHEMA_VERSION) throw new Error(newerSentence(version));
  const has =
    version === undefined
      ? 'The database has tables of version 1 or of another program, or they were not loaded to the end'
      : `The database has version ${version} of the tables`;
  throw new Error(`${has}, and this program needs version ${SCHEMA_VERSION}; run npm run migrate.`);
}

export function newerSentence(version: number): string {
  return `The database has version ${version} of the tables, and this program needs version ${SCHEMA_VERSION}; update the program.`;
}

/** Undefined for tables that have none. Rejects where there are no tables, or none that this account may see. */
async function readVersion(db: Database): Promise<number | undefined> {
  try {
    return (await db.selectFrom('Installation').select('version').executeTakeFirst())?.version;
  } catch (error) {
    if (error instanceof DatabaseError && NOT_THERE.has(error.errno) && (await hasOlderTables(db))) return undefined;
    throw error;
  }
}

// No such table; and what an account with few rights hears of such a table.
const NOT_THERE = new Set([1146, 1142]);

async function hasOlderTables(db: Database): Promise<boolean> {
  const { rows } = await sql<{ name: string }>`
    SELECT COLUMN_NAME AS name FROM information_schema.COLUMNS
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'Events'`.execute(db);
  return rows.length > 0 && !rows.some(({ name }) => name === 'lease_until');
}
