import type { TableInDatabase } from './found-tables.ts';

const VERSION_1: Record<string, string> = {
  Events: 'id valor processing claimed_by attempts due_at created_at filled_at last_error open',
  IdempotencyKeys: 'idempotency_key first_id how_many created_at',
};

/** Whether version 1 had this table, in a shape of its own. */
export function isOfVersion1({ name, columns }: TableInDatabase): boolean {
  return columns.map((column) => column.name).join(' ') === VERSION_1[name];
}

const WHOLE_NUMBER = ['tinyint', 'smallint', 'mediumint', 'int', 'bigint'];
const TEXT = ['char', 'varchar', 'tinytext', 'text', 'mediumtext'];

const COURSE: Record<string, Record<string, string[]>> = {
  DBStatus: { id: WHOLE_NUMBER },
  Events: { id: WHOLE_NUMBER, valor: TEXT, processing: WHOLE_NUMBER },
};

/** Whether this is a table as the course system has it: these columns, in any order, and no others. */
export function isOfCourse({ name, columns }: TableInDatabase): boolean {
  const wanted = COURSE[name];
  if (!wanted || columns.length !== Object.keys(wanted).length) return false;
  return columns.every((column) => wanted[column.name]?.includes(column.type));
}
