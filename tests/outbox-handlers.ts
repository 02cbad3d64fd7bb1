import { addToOutbox, defineHandlers, done, type HandlerInput } from '../index.ts';

/** Three kinds in a chain: each writes a row of its own and adds the next, in the transaction that fills it. */

const step =
  (name: string, next?: string) =>
  async ({ id, payload }: HandlerInput<{ order: number }>) =>
    done(name, async (trx) => {
      await trx.insertInto('steps').values({ step: name, order_id: payload.order, event_id: id }).execute();
      if (next !== undefined) await addToOutbox(trx, [{ kind: next, payload }]);
    });

// A consumer that is killed counts as a failure of what it held.
const attempts = 1_000;

export default defineHandlers({
  order: { attempts, handle: step('order', 'invoice') },
  invoice: { attempts, handle: step('invoice', 'letter') },
  letter: { attempts, handle: step('letter') },
});
