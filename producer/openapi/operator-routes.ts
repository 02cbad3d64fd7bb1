import type { DescribeRouteOptions } from 'hono-openapi';
import { z } from 'zod';
import { json, problem, serverFault } from './event-routes.ts';
import { eventSchema } from './schemas.ts';

const moment = (description: string) => z.iso.datetime().nullable().meta({ description });

/** An event with all that a person asks about it. */
export const eventDetailsSchema = eventSchema
  .extend({
    attempts: z.int().min(0).meta({ description: 'How often it was claimed, since it was created or revived' }),
    claimedBy: z.string().nullable().meta({ description: 'Who holds it or filled it' }),
    dueAt: moment('From when on it may be claimed, or the end of the lease; null: never, it is dead'),
    createdAt: z.iso.datetime(),
    filledAt: moment('When it was filled'),
    lastError: z.string().nullable().meta({ description: 'Why its last attempt failed' }),
  })
  .meta({ id: 'EventDetails' });

export const deadEventsSchema = z
  .object({
    events: z.array(eventDetailsSchema),
    next: z.int().nullable().meta({ description: 'The `after` of the next page; null: this is the last' }),
  })
  .meta({ id: 'DeadEvents' });

export const revivedSchema = z
  .object({ revived: z.int().min(0).meta({ description: 'How many dead events are pending again' }) })
  .meta({ id: 'Revived' });

export const MAX_DEAD = 1_000;

/** `?limit=100&after=7`, in decimal digits. */
export const deadQuerySchema = z.strictObject({
  limit: z
    .string()
    .regex(/^([1-9][0-9]{0,2}|1000)$/)
    .transform(Number)
    .pipe(z.int().max(MAX_DEAD))
    .default(100)
    .meta({ description: `Most events in the answer, 1 to ${MAX_DEAD}`, example: '100' }),
  after: z
    .string()
    .regex(/^(0|[1-9][0-9]{0,15})$/)
    .transform(Number)
    .pipe(z.int())
    .default(0)
    .meta({ description: 'Only events with a larger id', example: '0' }),
});

const refused = {
  401: problem('No operator’s token, or one that is not known'),
  ...serverFault,
  503: problem('The database cannot be used now'),
};
const path = [
  { name: 'id', in: 'path' as const, required: true, schema: { type: 'string' as const, pattern: '^[1-9][0-9]*$' } },
];
const security = [{ operator: [] }];

/** One description for each route under /operator. */
export const operatorRoutes = {
  dead: {
    summary: 'The dead events, by id',
    security,
    responses: { 200: json('Some of them', deadEventsSchema), 400: problem('A parameter is malformed'), ...refused },
  },
  show: {
    summary: 'One event, with all that is known of it',
    security,
    parameters: path,
    responses: {
      200: json('The event as it is now', eventDetailsSchema),
      400: problem('Not an id'),
      404: problem('No event has this id'),
      ...refused,
    },
  },
  reviveAll: {
    summary: 'Revive all dead events; after an error some are, and it may be asked again',
    security,
    responses: { 200: json('They are pending again', revivedSchema), ...refused },
  },
  revive: {
    summary: 'Revive one dead event',
    security,
    parameters: path,
    responses: {
      200: json('It is pending again', revivedSchema),
      400: problem('Not an id'),
      404: problem('No event has this id'),
      409: problem('The event is not dead'),
      ...refused,
    },
  },
} satisfies Record<string, DescribeRouteOptions>;
