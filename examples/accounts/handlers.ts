import { sql } from 'kysely';
import { defineHandlers } from '../../index.ts';
import { type Account, applyTransaction, isAllowed, TRANSACTIONS_PER_SNAPSHOT, transactionSchema } from './account.ts';

/** What became of a transaction. */
export type Outcome = { limite: number; saldo: number } | { refused: 'no such account' | 'limit' };

export default defineHandlers({
  transaction: {
    payload: transactionSchema,
    // With few keys a second transaction would find all of them locked.
    concurrency: 1,
    // Nobody is answered before the last of them: with 200, the callers of a busy moment wait too long.
    batch: 25,
    // The key is the account, and so its mailbox: no other transaction of it runs meanwhile, in whatever process.
    inTransaction: async ({ key, payload }, trx): Promise<Outcome> => {
      const { rows } = await sql<Account & { account_id: number; limite: number }>`
        SELECT a.id AS account_id, a.credit_limit AS limite, COALESCE(e.balance, 0) AS saldo, COALESCE(e.seq, 0) AS seq
        FROM accounts a LEFT JOIN account_events e ON e.account_id = a.id
          AND e.seq = (SELECT MAX(seq) FROM account_events WHERE account_id = a.id)
        WHERE a.id = ${Number(key)}`.execute(trx);
      if (!rows[0]) return { refused: 'no such account' };
      const { account_id, limite, ...before } = rows[0];
      const { saldo, seq } = applyTransaction(before, payload);
      if (!isAllowed(saldo, limite)) return { refused: 'limit' };
      const { valor: amount, tipo: type, descricao: description } = payload;
      const event = { account_id, seq, amount, type, description, balance: saldo };
      await trx.insertInto('account_events').values(event).execute();
      if (seq % TRANSACTIONS_PER_SNAPSHOT === 0) {
        await trx.insertInto('account_snapshots').values({ account_id, seq, balance: saldo }).execute();
      }
      return { limite, saldo };
    },
  },
});
