import { connectDatabase } from '../../database/connect.ts';
import { loadSchema } from '../../database/load-schema.ts';

/** Loads the schema into the database of this URL, whose account may do everything. */
export async function loadSchemaAt(url: string): Promise<void> {
  const db = connectDatabase({ url, poolSize: 1 });
  try {
    await loadSchema(db);
  } finally {
    await db.destroy();
  }
}
