import { z } from 'zod';
import { DELAY_LIMIT_MS, EVENTS_LIMIT, KEY_PATTERN, KIND_PATTERN } from './limits.ts';

/** What may be said of a new event, over HTTP, in the outbox and by code: these schemas validate, and OpenAPI is generated from them. */

const KIND_RULE = 'must be 1 to 64 characters of a-z, 0-9, ".", "_" and "-", beginning with a letter';
const KEY_RULE = 'must be 1 to 255 characters of well-formed text, none of them a control character';
const DELAY_RULE = `must be a whole number of milliseconds, 0 to ${DELAY_LIMIT_MS}`;
const EVENTS_RULE = `must be a list of 1 to ${EVENTS_LIMIT} events`;
const EVENT_RULE = 'must be a JSON object; kind, payload, key and delayMs are its members, none of them required';
const unknownMember = ([name = '']: string[]) =>
  `has the unknown member ${JSON.stringify(name.slice(0, 50))}; kind, payload, key and delayMs are known`;

/** The name of a kind. */
export const kindSchema = z
  .string({ error: KIND_RULE })
  .regex(KIND_PATTERN, { error: KIND_RULE })
  .meta({ description: 'The sort of work; a kind exists from its first use', example: 'email' });

/** What a create may say of its event. Unknown members are refused rather than ignored. */
export const newEventSchema = z
  .strictObject(
    {
      kind: kindSchema.optional().meta({ description: 'The sort of work, by default word', example: 'email' }),
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
