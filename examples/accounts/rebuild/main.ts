import { sql } from 'kysely';
import { connectDatabase } from '../../../index.ts';
import { runMain } from '../../../process/run-main.ts';
import { readEnvironment, readSettings } from '../../../process/settings.ts';
import { applyTransaction } from '../account.ts';
import { accountsSettings } from '../config.ts';

interface Row {
  id: number;
  /** As the tables have it. */
  saldo: number;
  seq: number;
  snapshot_saldo: number;
  snapshot_seq: number;
  /** Of one transaction after the snapshot; null if there is none. */
  valor: number | null;
  tipo: 'c' | 'd';
}

/** Makes every account anew, of its last snapshot and the transactions after it. Exit code 1 if the tables say otherwise. */
async function main(): Promise<void> {
  const { DATABASE_URL } = readSettings(accountsSettings, readEnvironment());
  const db = connectDatabase({ url: DATABASE_URL });
  // One statement sees one moment, also while transactions go on.
  const { rows } = await sql<Row>`
    SELECT a.id, COALESCE(l.balance, 0) AS saldo, COALESCE(l.seq, 0) AS seq,
      COALESCE(s.balance, 0) AS snapshot_saldo, COALESCE(s.seq, 0) AS snapshot_seq, e.amount AS valor, e.type AS tipo
    FROM accounts a
    LEFT JOIN account_events l ON l.account_id = a.id
      AND l.seq = (SELECT MAX(seq) FROM account_events WHERE account_id = a.id)
    LEFT JOIN account_snapshots s ON s.account_id = a.id
      AND s.seq = (SELECT MAX(seq) FROM account_snapshots WHERE account_id = a.id)
    LEFT JOIN account_events e ON e.account_id = a.id AND e.seq > COALESCE(s.seq, 0)
    ORDER BY a.id, e.seq`.execute(db);
  await db.destroy();
  const areEqual = [...Map.groupBy(rows, ({ id }) => id).values()].map(rebuild);
  if (areEqual.includes(false)) throw new Error('the tables do not say what the transactions add up to');
}

/** Prints a line, and returns whether it is what the tables say. */
function rebuild(rows: Row[]): boolean {
  const { id, saldo, seq, snapshot_saldo, snapshot_seq } = rows[0]!;
  const later = rows.flatMap(({ valor, tipo }) => (valor === null ? [] : [{ valor, tipo }]));
  const account = later.reduce(applyTransaction, { saldo: snapshot_saldo, seq: snapshot_seq });
  const isEqual = account.saldo === saldo && account.seq === seq;
  const found = isEqual ? 'equal' : `DIFFERENT: the tables say ${saldo} after ${seq}`;
  console.log(`account ${id}: ${account.saldo} after ${snapshot_seq} + ${later.length} transactions, ${found}`);
  return isEqual;
}

runMain('rebuild', main);
