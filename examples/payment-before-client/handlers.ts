import { z } from 'zod';
import { defineHandlers, later } from '../../index.ts';

const client = z.object({ id: z.int().positive(), name: z.string().min(1).max(100) });
const payment = z.object({
  id: z.uuid(),
  clientId: z.int().positive(),
  value: z.number().positive(),
  operationDate: z.iso.date(),
});

export default defineHandlers({
  client: {
    payload: client,
    inTransaction: async ({ payload }, trx) => {
      await trx.insertInto('clients').ignore().values(payload).execute();
      return { registered: payload.id };
    },
  },
  payment: {
    payload: payment,
    inTransaction: async ({ payload: { id, clientId, value, operationDate }, waits }, trx) => {
      const found = await trx.selectFrom('clients').select('id').where('id', '=', clientId).executeTakeFirst();
      if (!found) return later((waits + 1) * 1_000);
      const row = { id, client_id: clientId, value, operation_date: operationDate, looks: waits + 1 };
      // A payment that was sent twice is recorded once.
      await trx.insertInto('client_payments').ignore().values(row).execute();
      return { paid: id, looks: waits + 1 };
    },
  },
});
