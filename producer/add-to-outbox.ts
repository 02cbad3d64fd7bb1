import { LARGEST_PAYLOAD_LIMIT } from '../database/events/limits.ts';
import { checkNew, toNewEvent } from '../database/events/new-event.ts';
import { newEventsSchema } from '../database/events/new-event-schema.ts';
import { insertIntoOutbox } from '../database/events/outbox.ts';
import type { UserTransaction } from '../database/transaction-session.ts';
import { type EventInput, stringify } from './event-creator.ts';

/**
 * Writes 1 to 10,000 events in your own transaction: if it commits, a consumer makes each once, in their order. A payload
 * has at most 1,048,576 bytes. Rejects with an InvalidEventError.
 *
 * @example await addToOutbox(trx, [{ kind: 'email', payload }]);
 */
export async function addToOutbox(trx: UserTransaction, events: readonly EventInput[]): Promise<void> {
  const checked = checkNew(newEventsSchema, { events }, 'The create').events;
  const texts = checked.map(({ payload, ...members }, index) => {
    const name = `events[${index}].payload`;
    const text = stringify(payload, name);
    toNewEvent(members, text, { payloadLimit: LARGEST_PAYLOAD_LIMIT, name });
    return JSON.stringify({ ...members, payload });
  });
  await insertIntoOutbox(trx, texts);
}
