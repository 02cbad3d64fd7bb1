import type { Statement } from './connection.ts';

/**
 * Asks a server whether it takes writes, as an expression for its `completion_type`. What a server sets that takes none is no
 * value of that variable, and its error tells which: so the session settings carry the question.
 */
export type WriterQuestion = typeof TAKES_WRITES | typeof HAS_MAJORITY;

// Right on a group, a replica, MariaDB and a reader of Aurora; needs no right.
// MariaDB 12 says 'OFF' where others say 0.
const NO_READER = "WHEN @@GLOBAL.read_only NOT IN ('0', 'OFF') OR @@GLOBAL.innodb_read_only THEN 'READ_ONLY'";
// A primary that is cut off from its group stays writable for a while. Without a group the table is empty.
const NO_MINORITY = `WHEN (SELECT 2 * SUM(MEMBER_STATE <> 'UNREACHABLE') <= COUNT(*)
  FROM performance_schema.replication_group_members) THEN 'NO_MAJORITY'`;

export const TAKES_WRITES = `CASE ${NO_READER} ELSE 'NO_CHAIN' END`;
/** Takes the right of database/accounts-group.sql. */
export const HAS_MAJORITY = `CASE ${NO_READER} ${NO_MINORITY} ELSE 'NO_CHAIN' END`;

/** The question on its own. */
export function askWriter(question: WriterQuestion): Statement {
  return { sql: `SET SESSION completion_type = ${question}`, parameters: [] };
}

export const READ_ONLY = 'is read-only';

/** Why the server of this error takes no writes, if that is what it says. */
export function whyNoWriter(error: unknown): string | undefined {
  const { errno, message } = (error ?? {}) as { errno?: number; message?: string };
  if (errno !== WRONG_VALUE) return undefined;
  if (message?.includes("'READ_ONLY'")) return READ_ONLY;
  return message?.includes("'NO_MAJORITY'") ? 'sees no majority of its group' : undefined;
}

/** Whether the question failed for want of a right or a table, so that only TAKES_WRITES can be asked. */
export function isBeyondRights(error: unknown): boolean {
  return [TABLE_DENIED, NO_SUCH_TABLE].includes((error as { errno?: number }).errno ?? 0);
}

const WRONG_VALUE = 1231;
const TABLE_DENIED = 1142;
const NO_SUCH_TABLE = 1146;
