import { type DescribeRouteOptions, resolver, uniqueSymbol } from 'hono-openapi';
import type { z } from 'zod';
import {
  COUNT_PATTERN,
  createdSchema,
  eventCountSchema,
  eventSchema,
  filledEventSchema,
  healthSchema,
  MAX_COUNT,
  newEventSchema,
  problemSchema,
} from './schemas.ts';

const bearer = { type: 'http', scheme: 'bearer' } as const;

/** What the OpenAPI document says of the whole, and which tokens are asked for. The routes add themselves. */
export function documentationOf(asked: { token: boolean; operator: boolean }) {
  const securitySchemes = { ...(asked.token && { token: bearer }), ...(asked.operator && { operator: bearer }) };
  return { ...documentation, components: { securitySchemes }, security: asked.token ? [{ token: [] }] : [] };
}

const documentation = {
  openapi: '3.1.0',
  info: {
    title: 'Event queue on MySQL',
    version: '1.0.0',
    description:
      'Events are inserted into MySQL and filled by consumers. create-sync waits for that, create-async does not. ' +
      'Errors are RFC 9457 problem documents; each answer carries an X-Request-Id.',
    license: { name: 'MIT', identifier: 'MIT' },
  },
};

/** An answer that is a JSON document of ours. */
export const json = (description: string, schema: z.ZodType) => ({
  description,
  content: { 'application/json': { schema: resolver(schema) } },
});

/** An answer that is an RFC 9457 document. */
export const problem = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: resolver(problemSchema) } },
});

const requestBody = { content: { 'application/json': { schema: resolver(newEventSchema) } } };

const prefer = (description: string) => ({
  name: 'Prefer',
  in: 'header' as const,
  description,
  schema: { type: 'string' as const },
  example: 'wait=10',
});

const idempotencyKey = {
  name: 'Idempotency-Key',
  in: 'header' as const,
  description: 'The same key gives the same events, however often and to whichever producer it is sent',
  schema: { type: 'string' as const, pattern: '^[\\x21-\\x2b\\x2d-\\x7e]{1,255}$' },
  example: 'order-17',
};

const count = {
  name: 'count',
  in: 'query' as const,
  description: `How many events to create, 1 to ${MAX_COUNT}`,
  schema: { type: 'string' as const, pattern: COUNT_PATTERN.source },
  example: '1000',
};

export const serverFault = { 500: problem('A fault of the server, whose log has more under the requestId') };

const unauthorized = { 401: problem('No token, or one that is not known; only where the producer asks for tokens') };

const refusedCreates = {
  ...unauthorized,
  400: problem('A parameter or the JSON is malformed'),
  413: problem('The body is too large'),
  415: problem('The body is not plain JSON'),
  422: problem('The body says what is not understood, or the Idempotency-Key stands for another number of events'),
  ...serverFault,
  503: problem(
    'The database cannot be used, or too much is waiting; with "outcome": "unknown" it may have been created',
  ),
};

const databaseDown = { ...serverFault, 503: problem('The database cannot be used now') };
const open = { security: [] }; // for everybody, also where the others ask for a token

/** One description for each route, in the order of the README's table. */
export const routes = {
  count: {
    summary: 'How many events were ever created',
    responses: {
      200: json('The count, which is also the newest id', eventCountSchema),
      ...unauthorized,
      ...databaseDown,
    },
  },
  find: {
    summary: 'One event',
    parameters: [
      { name: 'id', in: 'path', required: true, schema: { type: 'string', pattern: '^[1-9][0-9]*$' } },
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
  createAsync: {
    summary: 'Create one event or many, and come back for them',
    parameters: [count, idempotencyKey],
    requestBody,
    responses: { 202: json('Committed; Location is the first event', createdSchema), ...refusedCreates },
  },
  createSync: {
    summary: 'Create one event and wait until it is filled',
    parameters: [
      prefer('wait=N: for at most N seconds (RFC 7240); without it, for as long as it takes'),
      idempotencyKey,
    ],
    requestBody,
    responses: {
      201: json('Filled; Location is the event', filledEventSchema),
      202: json('Committed, but not filled within the time asked for, or the producer is shutting down', createdSchema),
      ...refusedCreates,
      502: problem('The event is dead: it failed as often as it may'),
    },
  },
  livez: { ...open, summary: 'Whether the process runs', responses: { 200: json('It does', healthSchema) } },
  readyz: {
    ...open,
    summary: 'Whether requests can be served: the database answers and the producer is not shutting down',
    responses: { 200: json('They can', healthSchema), ...serverFault, 503: problem('They cannot') },
  },
} satisfies Record<string, DescribeRouteOptions>;

/** Tells the document of a route, like describeRoute, which however is one more middleware for each request. */
export function described<Handler extends object>(description: DescribeRouteOptions, handler: Handler): Handler {
  return Object.assign(handler, { [uniqueSymbol]: { spec: description } });
}
