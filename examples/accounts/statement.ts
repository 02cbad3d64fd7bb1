import { sql } from 'kysely';
import type { Database } from '../../index.ts';

interface Row {
  saldo: number | null;
  limite: number;
  data_extrato: Date;
  valor: number | null;
  tipo: 'c' | 'd';
  descricao: string;
  realizada_em: Date;
}

/** One statement of SQL, so that balance and transactions are of one moment; undefined for an unknown account. */
export async function readStatement(db: Database, id: number) {
  const { rows } = await sql<Row>`
    SELECT a.credit_limit AS limite, UTC_TIMESTAMP(3) AS data_extrato, e.balance AS saldo,
      e.amount AS valor, e.type AS tipo, e.description AS descricao, e.occurred_at AS realizada_em
    FROM accounts a LEFT JOIN account_events e ON e.account_id = a.id
      AND e.seq > (SELECT MAX(seq) FROM account_events WHERE account_id = a.id) - 10
    WHERE a.id = ${id} ORDER BY e.seq DESC`.execute(db);
  if (rows.length === 0) return undefined;
  const { saldo, limite, data_extrato } = rows[0]!;
  const ultimas_transacoes = rows.flatMap(({ valor, tipo, descricao, realizada_em }) =>
    valor === null ? [] : [{ valor, tipo, descricao, realizada_em }],
  );
  return { saldo: { total: saldo ?? 0, data_extrato, limite }, ultimas_transacoes };
}
