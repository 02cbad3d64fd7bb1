import { resolver } from 'hono-openapi';
import { z } from 'zod';
import { newEventSchema, newEventsSchema } from '../../database/events/new-event-schema.ts';
import { IDEMPOTENCY_KEY } from '../http/idempotency-key.ts';
import { databaseDown, header, json, parametersOf, problem, type RouteDescriptions, serverFault } from './parts.ts';
import {
  createdSchema,
  createQuerySchema,
  eventCountSchema,
  eventSchema,
  filledEventSchema,
  idPathSchema,
} from './schemas.ts';

const tags = ['events'];
const body = (schema: z.ZodType) => ({ content: { 'application/json': { schema: resolver(schema) } } });
const prefer = (description: string) => header('Prefer', description, 'wait=10');
const idempotencyKey = header(
  'Idempotency-Key',
  'The same key gives the same events, however often and to whichever producer it is sent; the first request decides what they are',
  'order-17',
  IDEMPOTENCY_KEY,
);

const trace = [
  header(
    'traceparent',
    'W3C Trace Context, which handlers and webhooks get; a malformed one is ignored',
    '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  ),
  header('tracestate', 'Goes with traceparent; ignored if malformed or longer than 512 characters', 'rojo=00f067aa'),
];

const unauthorized = { 401: problem('No token, or one that is not known; only where the producer asks for tokens') };
const refusedCreates = {
  ...unauthorized,
  400: problem('A parameter or the JSON is malformed'),
  413: problem('A payload or the body is too large'),
  415: problem('The body is not plain JSON'),
  422: problem(
    'A member of an event is unknown or malformed, which detail names; there are 1,000 kinds already; or the ' +
      'Idempotency-Key stands for another number of events',
  ),
  ...serverFault,
  503: problem(
    'The database cannot be used, or too much is waiting; with "outcome": "unknown" it may have been created',
  ),
};

/** One description for each route of events. */
export const eventRoutes = {
  'GET /': {
    tags,
    summary: 'How many events were ever created',
    responses: {
      200: json('The count, which is also the newest id', eventCountSchema),
      ...unauthorized,
      ...databaseDown,
    },
  },
  'GET /:id': {
    tags,
    summary: 'One event',
    parameters: [
      ...parametersOf('path', idPathSchema),
      prefer('wait=N: held until the event is filled or dead, for at most N seconds (RFC 7240)'),
    ],
    responses: {
      200: json('The event as it is now', eventSchema),
      400: problem('Not an id'),
      404: problem('No event has this id'),
      ...unauthorized,
      ...databaseDown,
    },
  },
  'POST /create-async': {
    tags,
    summary: 'Create one event or many, and come back for them',
    parameters: [...parametersOf('query', createQuerySchema), idempotencyKey, ...trace],
    requestBody: body(z.union([newEventSchema, newEventsSchema])),
    responses: { 202: json('Committed; Location is the first event', createdSchema), ...refusedCreates },
  },
  'POST /create-sync': {
    tags,
    summary: 'Create one event and wait until it is filled',
    parameters: [
      prefer('wait=N: for at most N seconds (RFC 7240); without it, for as long as it takes'),
      idempotencyKey,
      ...trace,
    ],
    requestBody: body(newEventSchema),
    responses: {
      201: json('Filled; Location is the event', filledEventSchema),
      202: json('Committed, but not filled within the time asked for, or the producer is shutting down', createdSchema),
      ...refusedCreates,
      410: problem('The event was deleted before it was filled'),
      502: problem(
        'The event is dead: it failed as often as it may, or its handler gave it up; detail has its reason then',
      ),
    },
  },
} satisfies RouteDescriptions;
