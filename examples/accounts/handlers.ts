import { defineHandlers } from '../../index.ts';
import { applyTransaction, isAllowed, TRANSACTIONS_PER_SNAPSHOT, transactionSchema } from './account.ts';

/** What became of a transaction. */
export type Outcome = { limite: number; saldo: number } | { refused: 'no such account' | 'limit' };

export default defineHandlers({
  transaction: {
    payload: transactionSchema,
    // The key is the account, and so its mailbox: no other transaction of it runs meanwhile, in whatever process.
    inTransaction: async ({ key, payload }, trx): Promise<Outcome> => {
      const id = Number(key);
      const before = await trx
        .selectFrom('accounts')
        .select(['credit_limit as limite', 'balance as saldo', 'seq'])
        .where('id', '=', id)
        .executeTakeFirst();
      if (!before) return { refused: 'no such account' };
      const { limite } = before;
      const after = applyTransaction(before, payload);
      if (!isAllowed(after, limite)) return { refused: 'limit' };
      const state = { seq: after.seq, balance: after.saldo };
      const { valor: amount, tipo: type, descricao: description } = payload;
      await trx
        .insertInto('account_events')
        .values({ account_id: id, ...state, amount, type, description })
        .execute();
      await trx.updateTable('accounts').set(state).where('id', '=', id).execute();
      if (after.seq % TRANSACTIONS_PER_SNAPSHOT === 0) {
        await trx
          .insertInto('account_snapshots')
          .values({ account_id: id, ...state })
          .execute();
      }
      return { limite, saldo: after.saldo };
    },
  },
});
