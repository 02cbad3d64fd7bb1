import { vi } from 'vitest';
import type { Database } from '../database/connect.ts';
import { DatabaseError } from '../database/database-error.ts';

/** The same pool; but the first statement that contains `text` is carried out, and its answer does not arrive. */
export function loseFirstAnswer(pool: Database, text: string): Database {
  return afterFirst(pool, text, () => {
    throw new DatabaseError(Object.assign(new Error('lost'), { code: 'PROTOCOL_CONNECTION_LOST' }), true);
  });
}

/** The same pool; but the first statement that contains `text` is carried out, and its answer arrives when `then` is done. */
export function afterFirst(pool: Database, text: string, then: () => Promise<unknown>): Database {
  const executor = pool.getExecutor();
  const execute = executor.executeQuery.bind(executor);
  let isFirst = true;
  vi.spyOn(executor, 'executeQuery').mockImplementation(async (statement) => {
    const result = await execute(statement);
    if (!isFirst || !statement.sql.includes(text)) return result;
    isFirst = false;
    await then();
    return result;
  });
  return pool;
}
