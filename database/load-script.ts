import { connectDatabase } from './connect.ts';
import { readScript, runStatements } from './sql-script.ts';

/** Sends a script of SQL, at a file: URL, to the database of `url`, one statement after the other. */
export async function loadScript(script: URL, url: string): Promise<void> {
  const db = connectDatabase({ url, poolSize: 1 });
  try {
    await runStatements(db, await readScript(script.href));
  } finally {
    await db.destroy();
  }
}
