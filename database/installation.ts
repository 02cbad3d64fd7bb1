import type { Database } from './connect.ts';

/** A UUID that init.sql gave this database once, for those who hear of events of several. */
export async function readInstallationId(db: Database): Promise<string> {
  const { installation_id } = await db.selectFrom('Installation').select('installation_id').executeTakeFirstOrThrow();
  return installation_id;
}
