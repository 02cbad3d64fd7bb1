import { z } from 'zod';
import { DELAY_LIMIT_MS, EVENTS_LIMIT, KEY_PATTERN, KIND_PATTERN } from '../../database/events/limits.ts';

/** What goes in and out over HTTP: these schemas validate, and the OpenAPI document is generated from them. */

const id = z.int().min(1).meta({ description: 'The event’s id: 1, 2, 3 … without gaps', example: 7 });

const KIND_RULE = 'must be 1 to 64 characters of a-z, 0-9, ".", "_" and "-", beginning with a letter';
const KEY_RULE = 'must be 1 to 255 characters of well-formed text, none of them a control character';
const DELAY_RULE = `must be a whole number of milliseconds, 0 to ${DELAY_LIMIT_MS}`;
const EVENTS_RULE = `must be a list of 1 to ${EVENTS_LIMIT} events`;
const EVENT_RULE = 'must be a JSON object; kind, payload, key and delayMs are its members, none of them required';
const unknownMember = ([name = '']: string[]) =>
  `has the unknown member ${JSON.stringify(name.slice(0, 50))}; kind, payload, key and delayMs are known`;

export const eventCountSchema = z
  .object({ events: z.int().min(0).meta({ description: 'How many events were ever created', example: 42 }) })
  .meta({ id: 'EventCount' });

const kind = z
  .string({ error: KIND_RULE })
  .regex(KIND_PATTERN, { error: KIND_RULE })
  .meta({ description: 'The sort of work; a kind exists from its first use', example: 'email' });

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

/** What a create may say of its event. Unknown members are refused rather than ignored. */
export const newEventSchema = z
  .strictObject(
    {
      kind: kind.optional().meta({ description: 'The sort of work, by default word', example: 'email' }),
      payload: z
        .unknown()
        .optional()
        .meta({
          description: 'What the handler gets: any JSON, kept digit for digit, by default at most 65,536 bytes',
          example: { to: 'ana@example.org' },
        }),
      key: z
        .string({ error: KEY_RULE })
        .regex(KEY_PATTERN, { error: KEY_RULE })
        .optional()
        .meta({ description: 'Events with the same key are worked on one at a time, by id', example: 'client-5' }),
      delayMs: z
        .int({ error: DELAY_RULE })
        .min(0, { error: DELAY_RULE })
        .max(DELAY_LIMIT_MS, { error: DELAY_RULE })
        .optional()
        .meta({ description: 'How long nobody works on it yet', example: 10_000 }),
    },
    { error: ({ code, keys }) => (code === 'unrecognized_keys' ? unknownMember(keys) : EVENT_RULE) },
  )
  .meta({ id: 'NewEvent' });

export const newEventsSchema = z
  .strictObject(
    {
      events: z.preprocess(
        limitLength,
        z.array(newEventSchema, { error: EVENTS_RULE }).min(1, { error: EVENTS_RULE }).max(EVENTS_LIMIT),
      ),
    },
    { error: 'must have no other member beside "events"' },
  )
  .meta({ id: 'NewEvents' });

/** Before its elements are looked at, of which there may be millions. */
function limitLength(list: unknown, context: z.RefinementCtx): unknown {
  if (Array.isArray(list) && list.length > EVENTS_LIMIT) context.addIssue(EVENTS_RULE);
  return list;
}

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

export const MAX_DEAD = 1_000;

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

/** `?limit=100&after=7` */
export const deadQuerySchema = z.strictObject({
  limit: wholeNumber({ min: 1, max: MAX_DEAD })
    .default(100)
    .meta({ description: `Most events in the answer, 1 to ${MAX_DEAD}`, example: 100 }),
  after: wholeNumber({ min: 0 }).default(0).meta({ description: 'Only events with a larger id', example: 0 }),
});
