import type { QueryResult } from 'kysely';
import type * as driver from './connection.ts';

/** What the driver says, as Kysely knows it. */
export function toQueryResult(result: driver.QueryResult): QueryResult<unknown> {
  if (Array.isArray(result)) return { rows: result };
  return { rows: [], numAffectedRows: BigInt(result.affectedRows), insertId: BigInt(result.insertId) };
}
