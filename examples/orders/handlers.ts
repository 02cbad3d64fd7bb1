import { dead, defineHandlers, later } from '../../index.ts';
import { readShownConfig } from './config.ts';
import { ATTEMPTS, messageSchema } from './message.ts';

const { RETRY_AFTER_MS } = readShownConfig();

export default defineHandlers({
  order: {
    payload: messageSchema,
    // A consumer that dies counts as a failure of what it held. An order has ATTEMPTS of its own.
    attempts: 1_000_000,
    log: 'all',
    logKey: 'message_id',
    inTransaction: async ({ payload: { message_id, processing_times, origin, order }, waits }, trx) => {
      // Only an attempt that ends raises `waits`; that of a consumer that dies raises `failures` and `attempt`.
      const attempt = waits + 1;
      if (attempt < processing_times) {
        const why = `FAILURE at the ${attempt} attempt.`;
        return attempt < ATTEMPTS ? later(RETRY_AFTER_MS, why) : dead(why);
      }
      const { product, price } = order;
      const row = { message_id, origin_system: origin.system, product, price };
      await trx.insertInto('endput_orders').values(row).execute();
      return `SUCCESS at the ${attempt} attempt.`;
    },
  },
});
