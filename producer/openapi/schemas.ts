import { z } from 'zod';
import { EVENTS_LIMIT } from '../../database/events/limits.ts';
import { kindSchema as kind } from '../../database/events/new-event-schema.ts';

/** What goes in and out over HTTP: these schemas validate, and the OpenAPI document is generated from them. */

const id = z.int().min(1).meta({ description: 'The event’s id: 1, 2, 3 … without gaps', example: 7 });

export const eventCountSchema = z
  .object({ events: z.int().min(0).meta({ description: 'How many events were ever created', example: 42 }) })
  .meta({ id: 'EventCount' });

const valor = z
  .unknown()
  .meta({ description: 'The text of a word, or the JSON value of another kind', example: { sent: true } });

const problem = z.string().optional().meta({
  description: 'Only if a client of another language filled it with text that is no JSON; valor is the text then',
});

export const eventSchema = z
  .object({
    id,
    kind,
    valor: valor.meta({ ...valor.meta(), description: `${valor.meta()?.description}; null until the event is filled` }),
    status: z.enum(['pending', 'processing', 'filled', 'dead']),
    problem,
  })
  .meta({ id: 'Event' });

export const filledEventSchema = z
  .object({ id, kind, valor, status: z.literal('filled'), problem })
  .meta({ id: 'FilledEvent' });

export const createdSchema = z
  .object({
    message: z.literal('Event created on demand'),
    id,
    count: z
      .int()
      .min(1)
      .optional()
      .meta({ description: 'Only for ?count= and for a list: the ids are id … id + count - 1' }),
  })
  .meta({ id: 'Created' });

export const healthSchema = z.object({ status: z.enum(['live', 'ready']) }).meta({ id: 'Health' });

export const problemSchema = z
  .object({
    type: z.string().meta({ example: 'about:blank' }),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    requestId: z.string(),
    outcome: z.literal('unknown').optional().meta({ description: 'It may or may not have been done' }),
    id: id.optional().meta({ description: 'The event that this is about' }),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem details' });

/** A number in plain digits: `1e3`, `01` and ` 5` are none. Matched as text before it is parsed, so no digit is rounded away. */
function wholeNumber({ min, max = Number.MAX_SAFE_INTEGER }: { min: number; max?: number }) {
  return z
    .string()
    .regex(/^(0|[1-9][0-9]{0,15})$/)
    .transform(Number)
    .pipe(z.int().min(min).max(max));
}

/** Larger ids fit no row. */
export const eventIdSchema = wholeNumber({ min: 1 });
export const idPathSchema = z.strictObject({ id: eventIdSchema });

export const PAGE_LIMIT = 1_000;

/** `?count=1000` */
export const createQuerySchema = z.strictObject({
  count: wholeNumber({ min: 1, max: EVENTS_LIMIT })
    .optional()
    .meta({ description: `How many equal events to create, 1 to ${EVENTS_LIMIT}; not with a list`, example: 1_000 }),
});

export const noQuerySchema = z.strictObject({});

/** `?outOfOrder=true` */
export const reviveQuerySchema = z.strictObject({
  outOfOrder: z
    .enum(['true', 'false'])
    .default('false')
    .meta({ description: 'Whether to revive an event although a later one of its key is filled or deleted' }),
});

const limitOf = (what: string) =>
  wholeNumber({ min: 1, max: PAGE_LIMIT })
    .default(100)
    .meta({ description: `Most ${what} in the answer, 1 to ${PAGE_LIMIT}`, example: 100 });

/** `?id=7&key=order-17&limit=100&before=1000` */
export const logQuerySchema = z.strictObject({
  id: eventIdSchema.optional().meta({ description: 'Only attempts at this event', example: 7 }),
  key: z
    .string()
    .max(510) // 255 characters, some of which count twice here
    .optional()
    .meta({ description: 'Only attempts at events that the logKey of their handler finds by it', example: 'order-17' }),
  limit: limitOf('lines'),
  before: wholeNumber({ min: 1 }).optional().meta({ description: 'Only lines with a smaller number', example: 1_000 }),
});

/** `?limit=100&after=7` */
export const deadQuerySchema = z.strictObject({
  limit: limitOf('events'),
  after: wholeNumber({ min: 0 }).default(0).meta({ description: 'Only events with a larger id', example: 0 }),
});
