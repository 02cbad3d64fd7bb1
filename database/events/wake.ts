import { sql } from 'kysely';
import { afterCommit } from '../after-commit.ts';
import type { Database } from '../connect.ts';
import type { UserTransaction } from '../transaction-session.ts';
import { noticesFor } from './notices.ts';

/**
 * At the commit of `trx` the next event of this kind and key is due, whatever it waits for. In a transaction of your own,
 * under READ COMMITTED, call it last.
 *
 * @example return done(null, (trx) => wake(trx, 'payment', `client-${id}`));
 */
export async function wake(trx: UserTransaction | Database, kind: string, key: string): Promise<void> {
  const wakeNow = async (db: UserTransaction | Database) => {
    await sql`CALL wake_event(${kind}, ${key})`.execute(db);
  };
  await wakeNow(trx);
  // An event that was created since then may have been looked at before our commit.
  afterCommit(trx, async (db) => {
    await wakeNow(db);
    noticesFor(db).emit('created');
  });
}
