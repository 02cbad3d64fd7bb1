import { type Context, Hono, type MiddlewareHandler } from 'hono';
import { describeRoute, validator } from 'hono-openapi';
import type { Logger } from 'pino';
import type { EventView, NewEvent, SettledEvent } from '../database/events.ts';
import { documentation, routes } from './api-description.ts';
import { addDocs } from './docs.ts';
import { checkEventBody } from './event-body.ts';
import { preferredWait } from './prefer.ts';
import { badRequest, Problem, sendProblem, toProblem, unavailable } from './problem.ts';
import { logRequests, type RequestVariables } from './request-log.ts';
import { createQuerySchema, eventIdSchema, MAX_COUNT, noQuerySchema } from './schemas.ts';

export interface ProducerDeps {
  /** Resolves to the id of the first once all are committed. */
  createEvents: (events: readonly NewEvent[]) => Promise<number>;
  /** Resolves when the event is filled or dead, or to undefined if that is no longer waited for. */
  waitFor: (id: number, signal: AbortSignal, limitMs?: number) => Promise<SettledEvent | undefined>;
  /** Most requests held at once. */
  waitingLimit: number;
  countEvents: () => Promise<number>;
  findEvent: (id: number) => Promise<EventView | undefined>;
  isDraining: () => boolean;
  log: Logger;
}

const CREATED = 'Event created on demand';

/** All routes of a producer. It knows neither the database nor the server: both come in as arguments. */
export function createApp(deps: ProducerDeps): Hono<RequestVariables> {
  const { createEvents, waitFor, waitingLimit, countEvents, findEvent, isDraining, log } = deps;
  let held = 0;
  const app = new Hono<RequestVariables>();

  app.use(logRequests(log));
  app.use(async (c, next) => {
    await next();
    // A kept connection would hold up the closing of the server (RFC 9112, 9.6).
    if (isDraining()) c.header('Connection', 'close');
  });
  app.onError((error, c) => {
    const problem = toProblem(error);
    if (problem !== error) log.error({ requestId: c.get('requestId'), err: error }, 'request failed');
    return sendProblem(c, problem);
  });
  app.notFound((c) =>
    sendProblem(c, new Problem({ status: 404, title: 'Not Found', detail: 'There is nothing at this path.' })),
  );

  app.get('/', describeRoute(routes.count), async (c) => c.json({ events: await countEvents() }));

  app.post(
    '/create-async',
    describeRoute(routes.createAsync),
    validator('query', createQuerySchema, ({ success }) => {
      if (!success) throw badRequest(`The only parameter is count, once, from 1 to ${MAX_COUNT}.`);
    }),
    checkEventBody,
    async (c) => {
      const { count } = c.req.valid('query');
      const id = await createEvents(Array.from({ length: count ?? 1 }, (): NewEvent => ({})));
      const created = { message: CREATED, id, ...(count === undefined ? {} : { count }) };
      return c.json(created, 202, { Location: `/${id}` });
    },
  );

  app.post(
    '/create-sync',
    describeRoute(routes.createSync),
    validator('query', noQuerySchema, ({ success }) => {
      if (!success) throw badRequest('create-sync has no parameters.');
    }),
    checkEventBody,
    async (c) => {
      const { signal } = c.req.raw; // read before the first wait: only then is a client's departure noticed
      if (held >= waitingLimit) throw unavailable('Too many requests wait for their event. Nothing was created.');
      held++;
      try {
        const wait = preferredWait(c.req.header('prefer'));
        if (wait !== undefined) c.header('Preference-Applied', `wait=${wait}`);
        const waitUntil = performance.now() + (wait ?? Infinity) * 1_000;
        const id = await createEvents([{}]);
        const event = await waitFor(id, signal, Math.max(0, waitUntil - performance.now()));
        const headers = { Location: `/${id}` };
        if (event?.status === 'filled') return c.json(event, 201, headers);
        if (event?.status === 'dead') throw deadEvent(id);
        return c.json({ message: CREATED, id }, 202, headers);
      } finally {
        held--;
      }
    },
  );

  // Before /:id, which would take GET /create-sync for an id.
  for (const path of ['/create-async', '/create-sync']) app.all(path, allow('POST'));

  app.get('/livez', describeRoute(routes.livez), (c) => c.json({ status: 'live' }));
  app.get('/readyz', describeRoute(routes.readyz), async (c) => {
    if (isDraining()) throw unavailable('This producer is shutting down.');
    await countEvents();
    return c.json({ status: 'ready' });
  });

  addDocs(app, documentation);

  app.get('/:id', describeRoute(routes.find), async (c) => {
    const id = eventIdSchema.safeParse(c.req.param('id'));
    if (!id.success) throw badRequest('An id is a whole number, 1 or more, written in plain digits.');
    const event = await findEvent(id.data);
    if (event) return c.json(event);
    throw new Problem({ status: 404, title: 'Not Found', detail: `There is no event ${id.data}.` });
  });

  for (const path of ['/', '/:id']) app.all(path, allow('GET, HEAD'));
  return app;
}

function deadEvent(id: number): Problem {
  const detail = `Event ${id} failed as often as it may, and nobody will try it again by itself.`;
  return new Problem({ status: 502, title: 'Bad Gateway', detail, members: { id }, headers: { Location: `/${id}` } });
}

/** For what is left over at a path: OPTIONS is told the methods, any other method is refused with them (RFC 9110). */
function allow(methods: string): MiddlewareHandler {
  return async (c: Context) => {
    if (c.req.method === 'OPTIONS') return c.body(null, 204, { Allow: `${methods}, OPTIONS` });
    const detail = `${c.req.method} is not possible here, only ${methods}.`;
    throw new Problem({
      status: 405,
      title: 'Method Not Allowed',
      detail,
      headers: { Allow: `${methods}, OPTIONS` },
    });
  };
}
