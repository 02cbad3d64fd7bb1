import { z } from 'zod';
import { defineHandlers, later, wake } from '../../index.ts';

const client = z.object({ id: z.int().positive(), name: z.string().min(1).max(100) });
const payment = z.object({
  id: z.uuid(),
  clientId: z.int().positive(),
  value: z.number().positive(),
  operationDate: z.iso.date(),
});

/** Payments of one client have one key: they are processed in their order, and one wake is for all of them. */
export const keyOf = (clientId: number) => `client-${clientId}`;

// A consumer that dies counts as a failure of what it held, and no failure is to be the last.
const attempts = 1_000_000;

export default defineHandlers({
  client: {
    payload: client,
    attempts,
    inTransaction: async ({ payload }, trx) => {
      await trx.insertInto('clients').ignore().values(payload).execute();
      await wake(trx, 'payment', keyOf(payload.id));
      return { registered: payload.id };
    },
  },
  payment: {
    payload: payment,
    attempts,
    inTransaction: async ({ payload: { id, clientId, value, operationDate }, waits }, trx) => {
      const client = await trx.selectFrom('clients').select('id').where('id', '=', clientId).executeTakeFirst();
      if (!client) {
        console.log(`payment ${id} waits ${waits + 1} s for client ${clientId}`);
        return later((waits + 1) * 1_000);
      }
      const row = { id, client_id: clientId, value, operation_date: operationDate, looks: waits + 1 };
      // A payment that was sent twice is recorded once.
      await trx.insertInto('client_payments').ignore().values(row).execute();
      console.log(`payment ${id} of client ${clientId} is processed`);
      return { paid: id, looks: waits + 1 };
    },
  },
});
