import { sql } from 'kysely';
import type { Database } from './connect.ts';

/** What a server says of its own place in a MySQL group. */
export interface GroupMember {
  /** The server's uuid. */
  id: string;
  /** Such as ONLINE, RECOVERING or ERROR. */
  state: string;
  isPrimary: boolean;
}

/** The account of the group's members at each other. It must exist on each of them before it joins. */
export interface GroupAccount {
  user: string;
  password: string;
}

/** Makes this server a member of its group, once it has what the others have. `isFirst`: there are no others. */
export async function joinGroup(
  db: Database,
  { user, password }: GroupAccount,
  { isFirst = false } = {},
): Promise<void> {
  const setFirst = (on: 0 | 1) => sql`SET GLOBAL group_replication_bootstrap_group = ${sql.lit(on)}`.execute(db);
  await sql`CHANGE REPLICATION SOURCE TO SOURCE_USER = ${sql.lit(user)}, SOURCE_PASSWORD = ${sql.lit(password)}
    FOR CHANNEL 'group_replication_recovery'`.execute(db);
  if (isFirst) await setFirst(1);
  try {
    await sql`START GROUP_REPLICATION`.execute(db);
  } finally {
    if (isFirst) await setFirst(0);
  }
}

/** Resolves when this server is no member any more; it takes no writes then. */
export async function leaveGroup(db: Database): Promise<void> {
  await sql`STOP GROUP_REPLICATION`.execute(db);
}

/** Of a server that has not joined yet it is OFFLINE, and of one that can be in no group undefined. */
export async function findMember(db: Database): Promise<GroupMember | undefined> {
  const { rows } = await sql<{ id: string; state: string; role: string }>`
    SELECT @@server_uuid AS id, MEMBER_STATE AS state, MEMBER_ROLE AS role
    FROM performance_schema.replication_group_members WHERE MEMBER_ID IN (@@server_uuid, '')`.execute(db);
  const [own] = rows;
  return own && { id: own.id, state: own.state, isPrimary: own.role === 'PRIMARY' };
}

/** As before maintenance: resolves when this member is the primary, and all transactions of the old one are over. */
export async function makePrimary(db: Database, { id }: Pick<GroupMember, 'id'>): Promise<void> {
  await sql`SELECT group_replication_set_as_primary(${id})`.execute(db);
}

/** Of the servers of one group, the one that has every transaction of the others; undefined if each lacks some. */
export async function findMostAdvanced<Server extends { db: Database }>(
  servers: readonly Server[],
): Promise<Server | undefined> {
  const executed = servers.map(async ({ db }) => {
    const { rows } = await sql<{ ids: string }>`SELECT @@GLOBAL.gtid_executed AS ids`.execute(db);
    return rows[0]!.ids;
  });
  const all = (await Promise.all(executed)).filter(Boolean).join();
  for (const server of servers) {
    const asked = sql<{ hasAll: number }>`SELECT GTID_SUBSET(${all}, @@GLOBAL.gtid_executed) AS hasAll`;
    if ((await asked.execute(server.db)).rows[0]!.hasAll === 1) return server;
  }
  return undefined;
}
