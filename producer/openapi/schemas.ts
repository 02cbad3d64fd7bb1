import { z } from 'zod';

/** What goes in and out over HTTP: these schemas validate, and the OpenAPI document is generated from them. */

const id = z.int().min(1).meta({ description: 'The event’s id: 1, 2, 3 … without gaps', example: 7 });

export const eventCountSchema = z
  .object({ events: z.int().min(0).meta({ description: 'How many events were ever created', example: 42 }) })
  .meta({ id: 'EventCount' });

export const eventSchema = z
  .object({
    id,
    valor: z.string().nullable().meta({ description: 'The word; null until the event is filled', example: 'palavra' }),
    status: z.enum(['pending', 'processing', 'filled', 'dead']),
  })
  .meta({ id: 'Event' });

export const filledEventSchema = z
  .object({ id, valor: z.string().meta({ example: 'palavra' }), status: z.literal('filled') })
  .meta({ id: 'FilledEvent' });

export const createdSchema = z
  .object({
    message: z.literal('Event created on demand'),
    id,
    count: z.int().min(1).optional().meta({ description: 'Only if it was asked for: the ids are id … id + count - 1' }),
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

export const MAX_COUNT = 10_000;

export const COUNT_PATTERN = /^([1-9][0-9]{0,3}|10000)$/;

/** `?count=1000`, as the decimal digits that it is written with: `1e3` and ` 5` are not numbers here. */
export const createQuerySchema = z.strictObject({
  count: z.string().regex(COUNT_PATTERN).transform(Number).pipe(z.int().min(1).max(MAX_COUNT)).optional(),
});

export const noQuerySchema = z.strictObject({});

/** What a create may say of its event: nothing yet. Unknown members are refused rather than ignored. */
export const newEventSchema = z.strictObject({}).meta({ id: 'NewEvent' });

/** Matched as text before anything is parsed, so that no digit is ever rounded away. Larger ones fit no row. */
export const eventIdSchema = z
  .string()
  .regex(/^[1-9][0-9]{0,15}$/)
  .transform(Number)
  .pipe(z.int().min(1));
