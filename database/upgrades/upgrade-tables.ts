import { sql } from 'kysely';
import type { Database } from '../connect.ts';
import { newerSentence, SCHEMA_VERSION } from '../schema-version.ts';
import { readScript, runStatements } from '../sql-script.ts';
import { findTables, type TableInDatabase } from './found-tables.ts';
import { isOfCourse, isOfVersion1 } from './older-tables.ts';
import { alterTable, hasShape, readShapes, type TableShape } from './table-shape.ts';

/** What a database held. */
export type Origin = 'nothing' | 'the tables of a course system' | 'version 1' | 'this version';

/**
 * Brings older tables to the shape of `init`, the statements of init.sql, with what they hold. It leaves the rest to them.
 * Where it was broken off it goes on when it is called again, since init.sql writes the version last.
 */
export async function upgradeTables(
  db: Database,
  { init, hasAccounts }: { init: readonly string[]; hasAccounts: boolean },
): Promise<Origin> {
  const shapes = readShapes(init);
  const tables = await findTables(
    db,
    shapes.map(({ name }) => name),
  );
  const version = await versionOf(db, tables.get('Installation'));
  if (version !== undefined && version > SCHEMA_VERSION) throw new Error(newerSentence(version));
  if (version === SCHEMA_VERSION) return 'this version';
  const origin = recognise(tables, shapes);
  if (!tables.has('Events')) return origin;

  if (origin === 'the tables of a course system') await checkIds(db);
  // Without it consumers of version 1 claim nothing more. Their producers go on.
  await sql`DROP PROCEDURE IF EXISTS claim_events`.execute(db);
  // DBStatus later: it tells whose Events these are.
  for (const name of ['Events', 'DBStatus', 'IdempotencyKeys']) {
    const shape = shapes.find((it) => it.name === name)!;
    const table = tables.get(name);
    if (table && !hasShape(table, shape)) await reshape(db, table, shape);
  }
  await runStatements(db, await readScript('upgrades/1-to-2.sql'));
  if (hasAccounts) await runStatements(db, await readScript('upgrades/1-to-2-accounts.sql'));
  return origin;
}

/** Undefined where there is none yet, and for another program's table of that name. */
async function versionOf(db: Database, table: TableInDatabase | undefined): Promise<number | undefined> {
  if (!table?.columns.some(({ name, type }) => name === 'version' && type === 'smallint')) return undefined;
  return (await db.selectFrom('Installation').select('version').executeTakeFirst())?.version;
}

/** Throws a sentence about a table that is somebody else's. */
function recognise(tables: Map<string, TableInDatabase>, shapes: TableShape[]): Origin {
  const others = shapes.flatMap((shape) => {
    const table = tables.get(shape.name);
    return table && !hasShape(table, shape) ? [table] : [];
  });
  const counter = tables.get('DBStatus');
  // Either of the two alone could be anybody's.
  const isCourse = tables.has('Events') && counter !== undefined && others.includes(counter);
  const refused = others.find((table) => !isOfVersion1(table) && !(isCourse && isOfCourse(table)));
  if (refused) {
    throw new Error(
      `The table ${refused.name} was not made by init.sql, and stays as it is; load this into a database of its own.`,
    );
  }
  if (isCourse) return 'the tables of a course system';
  return others.length > 0 ? 'version 1' : 'nothing';
}

async function checkIds(db: Database): Promise<void> {
  const { rows } = await sql<{ isFine: number }>`
    SELECT COUNT(*) = COUNT(DISTINCT id) AND COALESCE(MIN(id), 1) >= 1 AND COALESCE(MAX(id), 1) <= 9007199254740991 AS isFine
    FROM Events`.execute(db);
  if (rows[0]!.isFine === 1) return;
  throw new Error('The table Events has rows without an id of their own from 1 on, and stays as it is.');
}

/** In a routine, so that the mode and the ALTER meet in one session: without it NULL does not become the default. */
async function reshape(db: Database, table: TableInDatabase, shape: TableShape): Promise<void> {
  const isCounter = shape.name === 'DBStatus';
  await runStatements(db, [
    'DROP PROCEDURE IF EXISTS reshape_table',
    `CREATE PROCEDURE reshape_table()
BEGIN
  DECLARE newest BIGINT;
  SET SESSION sql_mode = 'NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO';
  ${isCounter ? KEEP_LARGEST : ''}
  ${alterTable(table, shape)};
END`,
    'CALL reshape_table()', // 1-to-2.sql drops it
  ]);
}

/** The counter of a course system may have several rows, or none. */
const KEEP_LARGEST = `START TRANSACTION;
  SELECT COALESCE(MAX(id), 0) INTO newest FROM DBStatus FOR UPDATE;
  DELETE FROM DBStatus;
  INSERT INTO DBStatus (id) SELECT GREATEST(newest, COALESCE(MAX(id), 0)) FROM Events;
  COMMIT;`;
