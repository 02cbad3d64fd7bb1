import { sql } from 'kysely';
import type { Database } from '../../../index.ts';
import type { Answer, TransactionAnswer } from './client.ts';

interface StreamRow {
  client: number;
  seq: number;
  valor: number;
  tipo: string;
  descricao: string;
  saldo: number;
  limite: number;
}

interface Extrato {
  saldo: { total: number; limite: number };
  ultimas_transacoes: { descricao: string }[];
}

export function readStream(db: Database): Promise<StreamRow[]> {
  return sql<StreamRow>`
    SELECT e.account_id AS client, e.seq, e.amount AS valor, e.type AS tipo, e.description AS descricao,
      e.balance AS saldo, a.credit_limit AS limite
    FROM account_events e JOIN accounts a ON a.id = e.account_id ORDER BY e.account_id, e.seq`
    .execute(db)
    .then(({ rows }) => rows);
}

/** What is wrong in the stream itself: a gap, a sum, a limit, a transaction that is there twice. */
export function faultsOf(stream: readonly StreamRow[]): string[] {
  const faults: string[] = [];
  const descriptions = new Set<string>();
  let before: StreamRow | undefined;
  for (const row of stream) {
    const { client, seq, saldo, valor, tipo, limite, descricao } = row;
    const last = before?.client === client ? before : { seq: 0, saldo: 0 };
    if (seq !== last.seq + 1) faults.push(`client ${client}: ${last.seq} is followed by ${seq}`);
    if (saldo !== last.saldo + (tipo === 'c' ? valor : -valor)) faults.push(`client ${client}: wrong saldo at ${seq}`);
    if (saldo < -limite) faults.push(`client ${client}: ${saldo} at ${seq}`);
    if (descriptions.has(descricao)) faults.push(`${descricao} was applied twice`);
    descriptions.add(descricao);
    before = row;
  }
  return faults;
}

/** Answers that the stream does not bear out: 200 for what is not in it, 422 for what is, another saldo, a wrong statement. */
export function contradictionsOf(
  stream: readonly StreamRow[],
  { transactions, extratos = [] }: { transactions: readonly TransactionAnswer[]; extratos?: readonly Answer[] },
): string[] {
  const rows = new Map(stream.map((row) => [row.descricao, row]));
  const ofTransactions = transactions.filter(({ status, body, descricao, client }) => {
    const row = rows.get(descricao);
    if (status === 422) return row !== undefined;
    if (status !== 200) return false;
    const { saldo, limite } = body as { saldo: number; limite: number };
    return row?.client !== client || row.saldo !== saldo || row.limite !== limite;
  });
  const ofExtratos = extratos.filter(({ status, body }) => status === 200 && !isBorneOut(rows, body as Extrato));
  return [...ofTransactions, ...ofExtratos].map((answer) => JSON.stringify(answer));
}

/** The transactions of a statement follow each other, and its saldo is that after the first. */
function isBorneOut(
  rows: ReadonlyMap<string, StreamRow>,
  { saldo: { total, limite }, ultimas_transacoes: last }: Extrato,
): boolean {
  if (last.length === 0) return total === 0;
  const newest = rows.get(last[0]!.descricao);
  if (newest?.saldo !== total || newest.limite !== limite || last.length !== Math.min(10, newest.seq)) return false;
  return last.every(({ descricao }, nth) => rows.get(descricao)?.seq === newest.seq - nth);
}
