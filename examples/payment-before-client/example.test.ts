import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { startExample } from '../../tests/example-system.ts';

const run = promisify(execFile);

test('a payment waits for its client, and is paid once', async () => {
  const { db, lines } = await startExample('payment-before-client');
  const tries = lines.flatMap((line) => /(DATABASE_URL=\S+) (node .*?) +#/.exec(line)?.slice(1, 3) ?? []);
  const [url, payment, , client] = tries as [string, string, string, string];
  const type = (line: string) => run('/bin/sh', ['-c', `${url} ${line}`]);
  await type(payment);
  await type(client);
  await expect
    .poll(async () => (await sql`SELECT client_id FROM client_payments`.execute(db)).rows)
    .toEqual([{ client_id: 5 }]);
});
