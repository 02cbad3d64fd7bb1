import { sql } from 'kysely';
import type { Database } from '../connect.ts';

/** A table as the database has it. */
export interface TableInDatabase {
  name: string;
  columns: { name: string; type: string }[];
  /** Names of its indexes; that of the primary key is PRIMARY. */
  keys: string[];
  checks: string[];
}

/** Those of these tables that are in the database. */
export async function findTables(db: Database, names: readonly string[]): Promise<Map<string, TableInDatabase>> {
  const list = sql.join(names);
  const { rows } = await sql<FoundRow>`
    SELECT TABLE_NAME AS tableName, 'column' AS what, COLUMN_NAME AS name, DATA_TYPE AS type,
      ORDINAL_POSITION AS position, @@lower_case_table_names AS folds
      FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN (${list})
    UNION ALL SELECT DISTINCT TABLE_NAME, 'key', INDEX_NAME, '', 0, @@lower_case_table_names
      FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN (${list})
    UNION ALL SELECT TABLE_NAME, 'check', CONSTRAINT_NAME, '', 0, @@lower_case_table_names
      FROM information_schema.TABLE_CONSTRAINTS
      WHERE TABLE_SCHEMA = DATABASE() AND CONSTRAINT_TYPE = 'CHECK' AND TABLE_NAME IN (${list})
    ORDER BY tableName, position`.execute(db);
  const tables = new Map<string, TableInDatabase>();
  for (const { tableName, folds, what, name, type } of rows) {
    // Some servers keep names of tables in small letters.
    const ours = names.find((it) => it === tableName || (folds && it.toLowerCase() === tableName.toLowerCase()));
    if (!ours) continue;
    const table = tables.get(ours) ?? { name: ours, columns: [], keys: [], checks: [] };
    tables.set(ours, table);
    if (what === 'column') table.columns.push({ name, type });
    else table[what === 'key' ? 'keys' : 'checks'].push(name);
  }
  return tables;
}

interface FoundRow {
  tableName: string;
  what: 'column' | 'key' | 'check';
  name: string;
  type: string;
  folds: number;
}
