import { sql } from 'kysely';
import { connectDatabase } from '../../../index.ts';
import { runMain } from '../../../process/run-main.ts';
import { readEnvironment, readSettings } from '../../../process/settings.ts';
import { type Account, applyTransaction } from '../account.ts';
import { accountsSettings } from '../config.ts';

interface Row {
  id: number;
  saldo: number | null;
  seq: number | null;
  snapshotSaldo: number | null;
  snapshotSeq: number | null;
  valor: number | null;
  tipo: 'c' | 'd';
}

/** Makes every account anew of its last snapshot and the transactions after it. Exit code 1 if the tables say otherwise. */
async function main(): Promise<void> {
  const { DATABASE_URL } = readSettings(accountsSettings, readEnvironment());
  const db = connectDatabase({ url: DATABASE_URL });
  // One statement sees one moment, also while transactions go on.
  const { rows } = await sql<Row>`
    SELECT a.id, last.balance AS saldo, last.seq, s.balance AS snapshotSaldo, s.seq AS snapshotSeq,
      e.amount AS valor, e.type AS tipo
    FROM accounts a
    LEFT JOIN account_events last ON last.account_id = a.id
      AND last.seq = (SELECT MAX(seq) FROM account_events WHERE account_id = a.id)
    LEFT JOIN account_snapshots s ON s.account_id = a.id
      AND s.seq = (SELECT MAX(seq) FROM account_snapshots WHERE account_id = a.id)
    LEFT JOIN account_events e ON e.account_id = a.id AND e.seq > COALESCE(s.seq, 0)
    ORDER BY a.id, e.seq`.execute(db);
  await db.destroy();
  const accounts = Map.groupBy(rows, ({ id }) => id);
  const agreed = [...accounts.values()].map(rebuild);
  if (agreed.includes(false)) throw new Error('the tables do not say what the transactions add up to');
}

/** Prints a line; resolves to whether it is what the tables say. */
function rebuild(rows: Row[]): boolean {
  const { id, saldo, seq, snapshotSaldo, snapshotSeq } = rows[0]!;
  const snapshot: Account = { saldo: snapshotSaldo ?? 0, seq: snapshotSeq ?? 0 };
  const transactions = rows.flatMap(({ valor, tipo }) => (valor === null ? [] : [{ valor, tipo }]));
  const account = transactions.reduce(applyTransaction, snapshot);
  const isEqual = account.saldo === (saldo ?? 0) && account.seq === (seq ?? 0);
  const after = `${transactions.length} after the snapshot of ${snapshot.seq}`;
  console.log(
    `account ${id}: ${account.saldo}, by ${account.seq} transactions (${after}); the table says ${saldo}, ${seq}: ${isEqual ? 'equal' : 'DIFFERENT'}`,
  );
  return isEqual;
}

runMain('rebuild', main);
