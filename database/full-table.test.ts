import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { startOwnServer } from '../tests/own-server.ts';
import type { Database } from './connect.ts';
import { createEvents, createEventsOnce } from './events/create.ts';
import { countEvents } from './events/read.ts';

const some = (count: number) => Array.from({ length: count }, () => ({}));

const someWithPayloads = (count: number) =>
  some(count).map(() => ({ payload: JSON.stringify('x'.repeat(500)), key: 'k' }));

/** Takes what room the tables have left, to the last page; dropped, `filler` gives it back. */
async function fillUp(db: Database): Promise<void> {
  await sql`CREATE TABLE filler (id INT PRIMARY KEY AUTO_INCREMENT, bulk VARCHAR(7000)) CHARSET ascii`.execute(db);
  await sql`INSERT INTO filler (bulk) VALUES (REPEAT('x', 7000))`.execute(db);
  for (let rows = 512; rows >= 1; ) {
    try {
      await sql`INSERT INTO filler (bulk) SELECT REPEAT('x', 7000) FROM filler LIMIT ${sql.lit(rows)}`.execute(db);
    } catch {
      rows = Math.floor(rows / 2);
    }
  }
}

async function rowsOf(db: Database): Promise<number> {
  const { rows } = await sql<{ n: number; more: number }>`
    SELECT COUNT(*) AS n, (SELECT COUNT(*) FROM EventPayloads) + (SELECT COUNT(*) FROM EventKeys) AS more
    FROM Events`.execute(db);
  expect(rows[0]!.more).toBe(0);
  return rows[0]!.n;
}

test('a create that finds the table full leaves nothing behind, and its key works when there is room', async () => {
  const connect = await startOwnServer([
    '--innodb-file-per-table=0',
    '--innodb-data-file-path=ibdata1:12M:autoextend:max:20M',
  ]);
  const db = connect({ retryMs: 500 });
  const first = await createEvents(db, some(10));
  await fillUp(connect({ retryMs: 200 }));

  const request = [{ key: 'order-17', events: some(5_000) }];
  for (let repeat = 0; repeat < 3; repeat++) {
    await expect(createEventsOnce(db, request)).rejects.toMatchObject({ fault: 'unavailable' });
    await expect(createEvents(db, some(5_000))).rejects.toMatchObject({ fault: 'unavailable' });
    await expect(createEvents(db, someWithPayloads(5_000))).rejects.toMatchObject({ fault: 'unavailable' });
    expect(await countEvents(db)).toBe(first + 9);
    expect(await rowsOf(db)).toBe(first + 9);
  }
  // The counter is free for another producer.
  const other = connect({ poolSize: 1, retryMs: 200 });
  await sql`SET SESSION innodb_lock_wait_timeout = 1`.execute(other);
  await sql`UPDATE DBStatus SET id = id`.execute(other);

  await sql`DROP TABLE filler`.execute(db);
  // MariaDB frees the pages a little later, when it purges.
  const once = (await createEventsOnce(connect({ retryMs: 20_000 }), request)).get('order-17');
  expect(once).toEqual({ firstId: 11, howMany: 5_000 });
  expect((await createEventsOnce(db, request)).get('order-17')).toEqual(once);
  expect(await rowsOf(db)).toBe(5_010);
  expect(await countEvents(db)).toBe(5_010);
});
