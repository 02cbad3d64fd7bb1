import { randomInt, randomUUID } from 'node:crypto';
import { z } from 'zod';

/** What is queued of an order. */
export const messageSchema = z.object({
  message_id: z.uuid(),
  /** At which attempt it is processed. */
  processing_times: z.int().min(1).max(6),
  origin: z.object({ system: z.int(), table: z.string() }),
  order: z.object({
    id: z.int().positive(),
    product: z.string().min(1),
    price: z.number().nonnegative(),
    created_at: z.iso.datetime(),
    security_check: z.boolean(),
  }),
});

export type Message = z.infer<typeof messageSchema>;

/** So many attempts has an order; one that needs more is never processed. */
export const ATTEMPTS = 5;

/** Throws if the order cannot be queued. */
export function toMessage(origin: Message['origin'], order: Message['order']): Message {
  const processing_times = order.security_check ? randomInt(1, ATTEMPTS + 1) : ATTEMPTS + 1;
  const { data, error } = messageSchema.safeParse({ message_id: randomUUID(), processing_times, origin, order });
  if (data) return data;
  throw new Error(`order ${order.id} of ${origin.table} cannot be queued: ${z.prettifyError(error)}`);
}
