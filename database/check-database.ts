import { setTimeout as sleep } from 'node:timers/promises';
import { checkServer, checkSkipLocked, isRoutineMissing, type ServerReport } from './check-server.ts';
import type { Database } from './connect.ts';
import { DatabaseError } from './database-error.ts';
import { countEvents } from './events/read.ts';

export interface DatabaseNeeds {
  /** Routines of init.sql that this process calls. */
  routines: readonly string[];
  /** Whether it relies on SKIP LOCKED. */
  skipLocked?: boolean;
}

/**
 * Waits until the database answers and holds what is needed, and resolves to what is worth saying of the server; to
 * undefined if `signal` is aborted. While no server can be reached it goes on trying; what no waiting mends is thrown as
 * a sentence that says what to do.
 */
export async function checkDatabase(
  db: Database,
  { routines, skipLocked = false }: DatabaseNeeds,
  signal: AbortSignal,
): Promise<ServerReport | undefined> {
  while (!signal.aborted) {
    try {
      await countEvents(db);
      if (await isRoutineMissing(db, routines)) {
        throw new Error(
          `A routine is missing, or this account may not EXECUTE it (${routines.join(', ')}); ` +
            'load database/init.sql, and then database/accounts.sql.',
        );
      }
      if (skipLocked) await checkSkipLocked(db);
      return await checkServer(db);
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error;
      if (error.fault === 'permanent') throw new Error(whatToDo(error), { cause: error });
      await sleep(500, undefined, { signal }).catch(() => {});
    }
  }
  return undefined;
}

function whatToDo({ code, message }: DatabaseError): string {
  switch (code) {
    case 'ER_ACCESS_DENIED_ERROR':
    case 'ER_DBACCESS_DENIED_ERROR':
      return `The database refuses this account; check DATABASE_URL. (${message})`;
    case 'ER_BAD_DB_ERROR':
      return `The database named in DATABASE_URL does not exist; create it, then load database/init.sql. (${message})`;
    case 'ER_NO_SUCH_TABLE':
      return `The tables are missing; load database/init.sql into this database. (${message})`;
    case 'ER_TABLEACCESS_DENIED_ERROR':
      return `This account may not read the tables; load database/accounts.sql into this database. (${message})`;
    default:
      return message;
  }
}
