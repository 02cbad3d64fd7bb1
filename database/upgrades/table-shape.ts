import type { TableInDatabase } from './found-tables.ts';

/** A table as init.sql defines it. */
export interface TableShape {
  name: string;
  columns: { name: string; definition: string }[];
  keys: string[];
  checks: { name: string; definition: string }[];
  /** ENGINE and the like. */
  options: string;
}

/** The tables that these statements of init.sql create. It has one column, key or check a line. */
export function readShapes(statements: readonly string[]): TableShape[] {
  return statements.flatMap((statement) => {
    const [, name, body, options] = /^CREATE TABLE IF NOT EXISTS (\w+) \(\n([\s\S]*)\n\) (.*)$/.exec(statement) ?? [];
    if (!name || !body || !options) return [];
    const lines = body.split('\n').map((line) => line.trim().replace(/,$/, ''));
    const keys = lines.filter((line) => /^(PRIMARY |UNIQUE )?KEY /.test(line));
    const checks = lines.filter((line) => line.startsWith('CONSTRAINT '));
    const columns = lines.filter((line) => !keys.includes(line) && !checks.includes(line));
    return {
      name,
      columns: columns.map((line) => ({ name: firstWord(line), definition: line })),
      keys,
      checks: checks.map((line) => ({ name: line.split(' ')[1]!, definition: line })),
      options,
    };
  });
}

/** Whether the table has these columns, in this order and of these types. */
export function hasShape(table: TableInDatabase, { columns }: TableShape): boolean {
  const wanted = columns.map(({ name, definition }) => `${name} ${typeIn(definition)}`);
  return wanted.join() === table.columns.map(({ name, type }) => `${name} ${type}`).join();
}

/** Gives the table this shape in one statement, which copies it once. Columns of other names stay. */
export function alterTable(table: TableInDatabase, shape: TableShape): string {
  const has = new Set(table.columns.map(({ name }) => name));
  const columns = shape.columns.map(({ name, definition }, index) => {
    const before = shape.columns[index - 1];
    return `${has.has(name) ? 'MODIFY' : 'ADD'} ${definition} ${before ? `AFTER ${before.name}` : 'FIRST'}`;
  });
  const isKept = (name: string) => shape.checks.some((check) => check.name === name);
  const changes = [
    ...table.keys.map((name) => (name === 'PRIMARY' ? 'DROP PRIMARY KEY' : `DROP KEY \`${name}\``)),
    // MariaDB has dropped a check of a column with its old definition by then.
    ...table.checks.filter((name) => !isKept(name)).map((name) => `DROP CONSTRAINT /*M! IF EXISTS */ \`${name}\``),
    ...columns,
    ...shape.keys.map((key) => `ADD ${key}`),
    ...shape.checks.filter(({ name }) => !table.checks.includes(name)).map(({ definition }) => `ADD ${definition}`),
  ];
  return `ALTER TABLE ${shape.name}\n  ${[...changes, shape.options].join(',\n  ')}`;
}

function firstWord(line: string): string {
  return /^\w+/.exec(line)![0];
}

function typeIn(definition: string): string {
  return /^\w+\s+(\w+)/.exec(definition)![1]!.toLowerCase();
}
