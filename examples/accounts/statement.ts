import { sql } from 'kysely';
import type { Database } from '../../index.ts';

interface Row {
  total: number;
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
    SELECT a.balance AS total, a.credit_limit AS limite, UTC_TIMESTAMP(3) AS data_extrato,
      e.amount AS valor, e.type AS tipo, e.description AS descricao, e.occurred_at AS realizada_em
    FROM accounts a LEFT JOIN account_events e ON e.account_id = a.id AND e.seq > a.seq - 10
    WHERE a.id = ${id} ORDER BY e.seq DESC`.execute(db);
  if (rows.length === 0) return undefined;
  const { total, limite, data_extrato } = rows[0]!;
  const ultimas_transacoes = rows.flatMap(({ valor, tipo, descricao, realizada_em }) =>
    valor === null ? [] : [{ valor, tipo, descricao, realizada_em }],
  );
  return { saldo: { total, data_extrato, limite }, ultimas_transacoes };
}
