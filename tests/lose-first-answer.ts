import { vi } from 'vitest';
import type { Database } from '../database/connect.ts';
import { DatabaseError } from '../database/database-error.ts';

/** The same pool; but the first statement that contains `text` is carried out, and its answer does not arrive. */
export function loseFirstAnswer(pool: Database, text: string): Database {
  const executor = pool.getExecutor();
  const execute = executor.executeQuery.bind(executor);
  let lost = false;
  vi.spyOn(executor, 'executeQuery').mockImplementation(async (statement) => {
    const result = await execute(statement);
    if (lost || !statement.sql.includes(text)) return result;
    lost = true;
    throw new DatabaseError(Object.assign(new Error('lost'), { code: 'PROTOCOL_CONNECTION_LOST' }), true);
  });
  return pool;
}
