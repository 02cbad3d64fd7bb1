import { z } from 'zod';
import { databaseDown, json, parametersOf, problem, type RouteDescriptions } from './parts.ts';
import { deadQuerySchema, eventSchema, idPathSchema, logQuerySchema, reviveQuerySchema } from './schemas.ts';

const moment = (description: string) => z.iso.datetime().nullable().meta({ description });

/** An event with all that a person asks about it. */
const eventDetailsSchema = eventSchema
  .extend({
    key: z.string().nullable().meta({ description: 'Events with the same key are worked on one at a time' }),
    attempts: z.int().min(0).meta({ description: 'How often it was claimed' }),
    failures: z.int().min(0).meta({ description: 'Failed attempts and lost leases' }),
    waits: z.int().min(0).meta({ description: 'How often its handler said later' }),
    claimedBy: z.string().nullable().meta({ description: 'Who holds it or filled it' }),
    dueAt: moment('From when on it may be claimed; null: never, it is dead'),
    leaseUntil: moment('Until when it is held; null: it is not'),
    createdAt: z.iso.datetime(),
    filledAt: moment('When it was filled'),
    lastError: z.string().nullable().meta({ description: 'Why its last attempt failed' }),
  })
  .meta({ id: 'EventDetails' });

export const shownEventSchema = eventDetailsSchema
  .extend({ payload: z.unknown().meta({ description: 'What its handler gets, as it was sent; null without' }) })
  .meta({ id: 'ShownEvent' });

export const deadEventsSchema = z
  .object({
    events: z.array(eventDetailsSchema),
    next: z.int().nullable().meta({ description: 'The `after` of the next page; null: this is the last' }),
  })
  .meta({ id: 'DeadEvents' });

const logLineSchema = z
  .object({
    line: z.int().min(1).meta({ description: 'Later lines have larger numbers, with gaps' }),
    id: z.int().min(1).meta({ description: 'The event’s id' }),
    kind: z.string().nullable().meta({ description: 'Null: somebody has deleted the event' }),
    attempt: z.int().min(1).meta({ description: 'Which claim of the event it was' }),
    startedAt: moment('When it began; null: its consumer died'),
    endedAt: z.iso.datetime().meta({ description: 'When its outcome was written, or its lease was over' }),
    consumer: z.string(),
    outcome: z.enum(['filled', 'failed', 'dead', 'later', 'lost']),
    text: z.string().nullable().meta({ description: 'Why it failed, or the beginning of its value' }),
    key: z.string().nullable().meta({ description: 'What the logKey of its handler names in the payload' }),
  })
  .meta({ id: 'LogLine' });

export const logSchema = z
  .object({
    lines: z.array(logLineSchema),
    next: z.int().nullable().meta({ description: 'The `before` of the page before; null: there are no earlier lines' }),
  })
  .meta({ id: 'Log' });

export const revivedSchema = z
  .object({ revived: z.int().min(0).meta({ description: 'How many dead events are pending again' }) })
  .meta({ id: 'Revived' });

export const allRevivedSchema = revivedSchema
  .extend({
    outOfOrder: z
      .int()
      .min(0)
      .meta({ description: 'How many are left out: a later event of their key is filled or deleted' }),
  })
  .meta({ id: 'AllRevived' });

const refused = {
  401: problem('No operator’s token, or one that is not known'),
  ...databaseDown,
};
const operator = { tags: ['operator'], security: [{ operator: [] }] };
const reviveQuery = parametersOf('query', reviveQuerySchema);
const ofOneEvent = { ...operator, parameters: parametersOf('path', idPathSchema) };

/** One description for each route under /operator. */
export const operatorRoutes = {
  'GET /operator/dead': {
    ...operator,
    summary: 'The dead events, by id',
    parameters: parametersOf('query', deadQuerySchema),
    responses: { 200: json('Some of them', deadEventsSchema), 400: problem('A parameter is malformed'), ...refused },
  },
  'GET /operator/events/:id': {
    ...ofOneEvent,
    summary: 'One event, with all that is known of it',
    responses: {
      200: json('The event as it is now', shownEventSchema),
      400: problem('Not an id'),
      404: problem('No event has this id'),
      ...refused,
    },
  },
  'GET /operator/log': {
    ...operator,
    summary: 'How attempts ended: the last ones that fit, oldest first',
    parameters: parametersOf('query', logQuerySchema),
    responses: { 200: json('Some of them', logSchema), 400: problem('A parameter is malformed'), ...refused },
  },
  'POST /operator/dead/revive': {
    ...operator,
    summary: 'Revive all dead events; after an error some are, and it may be asked again',
    parameters: reviveQuery,
    responses: {
      200: json('They are pending again', allRevivedSchema),
      400: problem('A parameter is malformed'),
      ...refused,
    },
  },
  'POST /operator/dead/:id/revive': {
    ...ofOneEvent,
    summary: 'Revive one dead event',
    parameters: [...ofOneEvent.parameters, ...reviveQuery],
    responses: {
      200: json('It is pending again', revivedSchema),
      400: problem('Not an id, or a parameter is malformed'),
      404: problem('No event has this id'),
      409: problem('The event is not dead, or a later one of its key is filled or deleted'),
      ...refused,
    },
  },
} satisfies RouteDescriptions;
