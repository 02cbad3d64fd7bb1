import { sql } from 'kysely';
import { connectDatabase, type Database } from '../database/connect.ts';
import type { LocalServer } from '../start/mysql/local-server.ts';

export interface BenchDatabase {
  db: Database;
  url: string;
}

/** Empty, but for what `load` puts into it. */
export async function createDatabase(
  server: Pick<LocalServer, 'url'>,
  name: string,
  load: (db: Database) => Promise<unknown>,
): Promise<BenchDatabase> {
  const admin = connectDatabase({ url: server.url('mysql'), poolSize: 1 });
  await sql.raw(`CREATE DATABASE ${name} CHARACTER SET utf8mb4`).execute(admin);
  await admin.destroy();
  const url = server.url(name);
  // Preparing a million rows takes long; no other statement of ours does.
  const db = connectDatabase({ url, statementTimeoutMs: 120_000 });
  await load(db);
  return { db, url };
}

/** The next scenario starts with an empty server: no rows to purge, no pages to write. */
export async function dropDatabases(server: Pick<LocalServer, 'url'>, names: string[]): Promise<void> {
  const admin = connectDatabase({ url: server.url('mysql'), poolSize: 1, statementTimeoutMs: 60_000 });
  for (const name of names) await sql.raw(`DROP DATABASE ${name}`).execute(admin);
  await admin.destroy();
}
