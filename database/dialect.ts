import {
  type CompiledQuery,
  type Dialect,
  MysqlAdapter,
  MysqlIntrospector,
  MysqlQueryCompiler,
  type QueryResult,
} from 'kysely';

export interface DialectOptions {
  /** Resolves to what the server answered; rejects with a DatabaseError. */
  execute: (statement: CompiledQuery) => Promise<QueryResult<unknown>>;
  destroy: () => Promise<void>;
}

/** MySQL for Kysely, where every statement is sent by itself: no connection is held from one to the next. */
export function createDialect({ execute, destroy }: DialectOptions): Dialect {
  const connection = {
    executeQuery: async <R>(statement: CompiledQuery) => (await execute(statement)) as QueryResult<R>,
    streamQuery: refuse('streaming'),
  };
  return {
    createAdapter: () => new MysqlAdapter(),
    createQueryCompiler: () => new MysqlQueryCompiler(),
    createIntrospector: (db) => new MysqlIntrospector(db),
    createDriver: () => ({
      init: async () => {},
      acquireConnection: async () => connection,
      releaseConnection: async () => {},
      beginTransaction: refuse('db.transaction()'),
      commitTransaction: refuse('db.transaction()'),
      rollbackTransaction: refuse('db.transaction()'),
      destroy,
    }),
  };
}

function refuse(what: string): () => never {
  return () => {
    throw new Error(`${what} is not supported: write a routine in database/init.sql`);
  };
}
