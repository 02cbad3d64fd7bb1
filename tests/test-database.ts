import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, beforeEach, inject } from 'vitest';
import { connectDatabase, type Database, type DatabaseOptions } from '../database/connect.ts';
import { loadSchema } from '../database/load-schema.ts';

export interface TestDatabase extends AsyncDisposable {
  db: Database;
  url: string;
  /** A further pool on the same database. */
  connect: (options?: Partial<DatabaseOptions>) => Database;
  /** Makes everything that is held or waiting due, as if its time had come. */
  letTimePass: () => Promise<void>;
}

interface TestDatabaseOptions extends Partial<DatabaseOptions> {
  /** Whether it has our tables. @default true */
  hasSchema?: boolean;
}

/** An empty database with the schema, on the server that the test run shares; dropped at the end of its scope. */
export async function createTestDatabase({
  hasSchema = true,
  ...options
}: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  const server = connectDatabase({ url: `${inject('serverUrl')}mysql`, poolSize: 1 });
  await sql.raw(`CREATE DATABASE ${name} CHARACTER SET utf8mb4`).execute(server);
  const url = `${inject('serverUrl')}${name}`;
  const pools: Database[] = [];
  const connect = (more: Partial<DatabaseOptions> = {}) => {
    const pool = connectDatabase({ url, ...options, ...more });
    pools.push(pool);
    return pool;
  };
  const db = connect();
  if (hasSchema) await loadSchema(db);
  return {
    db,
    url,
    connect,
    letTimePass: async () => {
      await sql`UPDATE Events SET due_at = UTC_TIMESTAMP(3) - INTERVAL 1 SECOND, lease_until = UTC_TIMESTAMP(3) - INTERVAL 1 SECOND WHERE open = 1 AND due_at < '9999-01-01'`.execute(
        db,
      );
    },
    async [Symbol.asyncDispose]() {
      for (const pool of pools) await pool.destroy();
      await sql.raw(`DROP DATABASE ${name}`).execute(server);
      await server.destroy();
    },
  };
}

/** One database for all tests of a file: empty before each of them, dropped after the last. */
export async function useTestDatabase(): Promise<TestDatabase> {
  const database = await createTestDatabase();
  beforeEach(async () => {
    await sql`DELETE FROM Events`.execute(database.db);
    for (const table of ['IdempotencyKeys', 'EventPayloads', 'EventKeys', 'Outbox', 'EventLog'])
      await sql`DELETE FROM ${sql.table(table)}`.execute(database.db);
    await sql`UPDATE DBStatus SET id = 0`.execute(database.db);
    await sql`DELETE FROM Kinds WHERE name <> 'word'`.execute(database.db);
    await sql`UPDATE Kinds SET paused = 0, looked_at = '2000-01-01'`.execute(database.db);
  });
  afterAll(() => database[Symbol.asyncDispose]());
  return database;
}
