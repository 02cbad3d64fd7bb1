import { randomInt } from 'node:crypto';
import { type Generated, Kysely, MysqlDialect, type Selectable, type Transaction } from 'kysely';
import { createPool } from 'mysql2';
import { addToOutbox } from '../../index.ts';
import { toMessage } from './message.ts';

interface Process {
  last_id: number;
  status: 'READY' | 'ERROR';
}

interface SourceTables {
  orders: {
    id: Generated<number>;
    product: string;
    price: number;
    created_at: Generated<Date>;
    security_check: number;
  };
  process: Process;
}

/** The orders of one system. */
export interface Source {
  db: Kysely<SourceTables>;
  system: number;
  schema: string;
}

export function connectSource(url: string, system: number): Source {
  const pool = createPool({ uri: url, timezone: 'Z', decimalNumbers: true });
  return { db: new Kysely({ dialect: new MysqlDialect({ pool }) }), system, schema: `orders_system_${system}` };
}

// Statements of moderate size, however many orders there are.
const CHUNK = 100;

export function insertOrders(source: Source, { positive, negative }: { positive: number; negative: number }) {
  const orders = Array.from({ length: positive + negative }, (_, nth) => ({
    product: `product ${randomInt(1, 1_000)}`,
    price: randomInt(1, 100_000) / 100,
    security_check: Number(nth < positive),
  }));
  // In turn as well: else a run could move the cursor past ids that are not committed yet.
  return inTurn(source, async (tables) => {
    for (let from = 0; from < orders.length; from += CHUNK) {
      await tables
        .insertInto('orders')
        .values(orders.slice(from, from + CHUNK))
        .execute();
    }
  });
}

/** Queues all orders past the cursor. The events and the cursor commit together; if it rejects, the status is ERROR. */
export async function runProcess(source: Source, dueAfterMs: number): Promise<'queued' | 'blocked'> {
  try {
    return await inTurn(source, async (tables, { last_id, status }, trx) => {
      if (status === 'ERROR') return 'blocked';
      for (let cursor = last_id; ; ) {
        const past = tables.selectFrom('orders').selectAll().where('id', '>', cursor).orderBy('id').limit(CHUNK);
        const messages = (await past.execute()).map((row) => messageOf(source, row));
        if (messages.length === 0) return 'queued';
        await addToOutbox(
          trx,
          messages.map((payload) => ({ kind: 'order', payload, delayMs: dueAfterMs })),
        );
        cursor = messages.at(-1)!.order.id;
        await tables.updateTable('process').set({ last_id: cursor }).execute();
      }
    });
  } catch (error) {
    await updateProcess(source, { status: 'ERROR' });
    throw error;
  }
}

function messageOf({ system, schema }: Source, row: Selectable<SourceTables['orders']>) {
  const order = { ...row, created_at: row.created_at.toISOString(), security_check: row.security_check === 1 };
  return toMessage({ system, table: `${schema}.orders` }, order);
}

export async function updateProcess({ db, schema }: Source, set: Partial<Process>): Promise<void> {
  await db.withSchema(schema).updateTable('process').set(set).execute();
}

type Work<T> = (tables: Kysely<SourceTables>, process: Process, trx: Transaction<SourceTables>) => Promise<T>;

/** A transaction that keeps the cursor locked: one at a time of each system. */
function inTurn<T>({ db, schema }: Source, work: Work<T>): Promise<T> {
  const transaction = db.transaction().setIsolationLevel('read committed');
  return transaction.execute(async (trx) => {
    const tables = trx.withSchema(schema);
    const process = await tables.selectFrom('process').selectAll().forUpdate().executeTakeFirstOrThrow();
    return work(tables, process, trx);
  });
}
