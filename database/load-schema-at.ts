import { connectDatabase } from './connect.ts';
import { type LoadedSchema, loadSchema } from './load-schema.ts';

// An upgrade may copy a table of many millions of events in one statement.
const STATEMENT_LIMIT_MS = 3_600_000;

/** Loads the schema into the database of this URL, whose account may do everything. */
export async function loadSchemaAt(url: string, signal?: AbortSignal): Promise<LoadedSchema> {
  const db = connectDatabase({
    url,
    poolSize: 1,
    statementTimeoutMs: STATEMENT_LIMIT_MS,
    ...(signal ? { signal } : {}),
  });
  try {
    return await loadSchema(db);
  } finally {
    await db.destroy();
  }
}
