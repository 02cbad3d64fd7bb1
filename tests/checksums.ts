import { sql } from 'kysely';
import type { Member } from './group.ts';

/** Of these tables, of each member. */
export function readChecksums(members: readonly Member[], tables: readonly string[]): Promise<string[]> {
  const names = sql.join(tables.map((table) => sql.table(table)));
  return Promise.all(
    members.map(async ({ db }) => {
      const { rows } = await sql<{ Checksum: number }>`CHECKSUM TABLE ${names}`.execute(db);
      return rows.map(({ Checksum }) => Checksum).join(' ');
    }),
  );
}
