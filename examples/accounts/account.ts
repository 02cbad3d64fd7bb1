import { z } from 'zod';

/** A credit or a debit, in cents. */
export const transactionSchema = z.object({
  valor: z.int().positive(),
  tipo: z.enum(['c', 'd']),
  descricao: z.string().regex(/^\P{Cs}{1,10}$/u), // characters, and no half of one
});

export interface Account {
  saldo: number;
  /** How many transactions made it. */
  seq: number;
}

export const TRANSACTIONS_PER_SNAPSHOT = 100;

/** One step of the fold that an account is: for the next transaction, and for the rebuild. */
export function applyTransaction(
  { saldo, seq }: Account,
  { valor, tipo }: Pick<z.infer<typeof transactionSchema>, 'valor' | 'tipo'>,
): Account {
  return { saldo: tipo === 'c' ? saldo + valor : saldo - valor, seq: seq + 1 };
}

/** Past 2^53 cents a sum would no longer be exact. */
export function isAllowed(saldo: number, limite: number): boolean {
  return saldo >= -limite && Number.isSafeInteger(saldo);
}
