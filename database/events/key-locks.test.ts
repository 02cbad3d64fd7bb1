import { sql } from 'kysely';
import type { Connection } from 'mysql2/promise';
import { expect, onTestFinished, test } from 'vitest';
import { claimWords } from '../../tests/claim-words.ts';
import { connectWithoutRetry } from '../../tests/foreign-client.ts';
import { useTestDatabase } from '../../tests/test-database.ts';
import { createEvents } from './create.ts';

/** What a transaction of several keys locks: step by step, since chance shows it seldom. */

const { db, url } = await useTestDatabase();

const create = (client: Connection, ...keys: string[]) =>
  client.query('CALL create_events(?)', [JSON.stringify(keys.map((key) => ({ key })))]);
const claim = (limit: number) => claimWords(db, { claimedBy: 'a', limit, maxFailures: 5 });
const fill = (client: Connection, ...ids: number[]) =>
  client.query("CALL fill_events('a', ?, 1)", [JSON.stringify(ids.map((id) => [id, 1, 'sim']))]);
const lock = (client: Connection, limit: number) =>
  client.query('CALL lock_events(?)', [
    JSON.stringify({ kind: 'word', limit, maxFailures: 5, since: '2000-01-01 00:00:00' }),
  ]);
/** The first of this event's key, as a create of several does. */
const lockFirst = (client: Connection, id: number) =>
  client.query(
    `SELECT COUNT(*) FROM (
      SELECT EventKeys.id FROM (
        SELECT DISTINCT event_key, (
          SELECT id FROM EventKeys FORCE INDEX (PRIMARY) WHERE EventKeys.event_key = EventPayloads.event_key
          ORDER BY event_key, id LIMIT 1
        ) AS id
        FROM EventPayloads FORCE INDEX (PRIMARY) WHERE EventPayloads.id = ? ORDER BY event_key LIMIT 1000000000
      ) AS heads
      STRAIGHT_JOIN EventKeys FORCE INDEX (PRIMARY) ON EventKeys.event_key = heads.event_key AND EventKeys.id = heads.id
      FOR UPDATE
    ) AS heads_locked`,
    [id],
  );

/** The last gives up what it waits for after two seconds. */
async function connectFour(): Promise<[Connection, Connection, Connection, Connection]> {
  const connections = await Promise.all([1, 2, 3, 4].map(() => connectWithoutRetry(url)));
  onTestFinished(() => connections.forEach((connection) => connection.destroy()));
  await connections[3]!.query('SET SESSION innodb_lock_wait_timeout = 2');
  return connections as [Connection, Connection, Connection, Connection];
}

function untilWaiting({ threadId }: Connection): Promise<void> {
  const isWaiting = async () => {
    const { rows } = await sql`SELECT 1 FROM information_schema.INNODB_TRX
      WHERE trx_state = 'LOCK WAIT' AND trx_mysql_thread_id = ${threadId}`.execute(db);
    return rows.length > 0;
  };
  // What is read more often, the server does not renew.
  return expect.poll(isWaiting, { interval: 250 }).toBe(true);
}

test('who has to do with several keys locks them in their order, and touches no others', async () => {
  const [holder, waiter, , passer] = await connectFour();
  await create(passer, 'b', 'a');
  await claim(2);
  await holder.beginTransaction();
  await lockFirst(holder, 2);
  await create(passer, 'c');
  const creating = create(waiter, 'b', 'a');
  await untilWaiting(waiter);
  await fill(passer, 1); // of key b
  await holder.rollback();
  await creating;

  await claim(2); // 3 of c and 4 of b
  await holder.beginTransaction();
  await lockFirst(holder, 2);
  const filling = fill(waiter, 4, 2);
  await untilWaiting(waiter);
  await create(passer, 'b');
  await holder.rollback();
  await filling;
});

test('a transaction that has locked all that is due keeps nobody from handing on another key', async () => {
  const [holder, , , passer] = await connectFour();
  await create(passer, 'b', 'b');
  await claim(1);
  await create(passer, 'a');
  await holder.beginTransaction();
  await lock(holder, 10);
  await fill(passer, 1);
  await holder.rollback();
});

test('nor does one that finds what is due locked by another', async () => {
  const [holder, second, , passer] = await connectFour();
  await create(passer, 'b', 'b');
  await claim(1);
  await createEvents(db, [{}, {}, {}, {}, {}]);
  for (const client of [holder, second]) {
    await client.beginTransaction();
    await lock(client, 3);
  }
  await fill(passer, 1);
  for (const client of [holder, second]) await client.rollback();
});

test('who waited for the first of a key, and has it now that it is gone, keeps nobody from handing the key on', async () => {
  const [settler, waiter, reader, passer] = await connectFour();
  await create(passer, 'a', 'a', 'a');
  await claim(1);
  // So long does the server keep what is deleted.
  await reader.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ');
  await reader.query('START TRANSACTION WITH CONSISTENT SNAPSHOT');
  await settler.beginTransaction();
  await settler.query("CALL fill_held('a', ?, 1)", [JSON.stringify([[1, 1, 'sim']])]);
  await waiter.beginTransaction();
  const waiting = lockFirst(waiter, 3);
  await untilWaiting(waiter);
  await settler.commit();
  await waiting;
  await claim(1);
  await fill(passer, 2);
  expect((await claim(1)).claims).toMatchObject([{ id: 3 }]);
  await waiter.rollback();
});
