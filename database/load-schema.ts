import { sql } from 'kysely';
import type { Database } from './connect.ts';
import { DatabaseError } from './database-error.ts';
import { readScript, runStatements } from './sql-script.ts';
import { type Origin, upgradeTables } from './upgrades/upgrade-tables.ts';

export interface LoadedSchema {
  /** What the database held before. */
  from: Origin;
  /** Whether there are accounts `producer` and `consumer`, which were given their rights. */
  hasAccounts: boolean;
}

/**
 * Brings a database that is empty, older, or of a course system to this version; its data stays. It may be broken off and
 * repeated. Rejects, having changed nothing, where the tables are others' or of a later version.
 */
export async function loadSchema(db: Database): Promise<LoadedSchema> {
  const init = await readScript('init.sql');
  const hasAccounts = (await isAccount(db, 'producer')) && (await isAccount(db, 'consumer'));
  const from = await upgradeTables(db, { init, hasAccounts });
  const grants = hasAccounts ? await readScript('accounts.sql') : [];
  for (const statement of init) {
    await runStatements(db, [statement]);
    // At once, since running processes wait for it.
    const [, made] = /^CREATE PROCEDURE (\w+)/.exec(statement) ?? [];
    await runStatements(
      db,
      grants.filter((grant) => grant.includes(`ON PROCEDURE ${made} `)),
    );
  }
  await runStatements(db, grants);
  return { from, hasAccounts };
}

const NO_SUCH_ACCOUNT = 1141;

/** MariaDB would make an account without a password for a GRANT. */
async function isAccount(db: Database, name: string): Promise<boolean> {
  try {
    await sql`SHOW GRANTS FOR ${name}@'%'`.execute(db);
    return true;
  } catch (error) {
    // Whoever may not ask may still grant.
    return !(error instanceof DatabaseError) || error.errno !== NO_SUCH_ACCOUNT;
  }
}
