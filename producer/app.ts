import { Hono, type MiddlewareHandler } from 'hono';
import { describeRoute, validator } from 'hono-openapi';
import type { Logger } from 'pino';
import type { EventView, NewEvent } from '../database/events.ts';
import { answer, answerJson } from './answer.ts';
import { documentation, routes } from './api-description.ts';
import { addDocs } from './docs.ts';
import { checkEventBody } from './event-body.ts';
import { createHold, type HoldOptions } from './hold.ts';
import { idempotencyKey } from './idempotency-key.ts';
import { preferenceApplied, preferredWait } from './prefer.ts';
import { badRequest, Problem, sendProblem, toProblem, unavailable } from './problem.ts';
import { logRequests, type RequestVariables } from './request-log.ts';
import { createQuerySchema, eventIdSchema, MAX_COUNT, noQuerySchema } from './schemas.ts';

export interface ProducerDeps extends HoldOptions {
  /** Resolves to the id of the first once all are committed; with a key that was used before, to that of its events. */
  createEvents: (events: readonly NewEvent[], key?: string) => Promise<number>;
  countEvents: () => Promise<number>;
  findEvent: (id: number) => Promise<EventView | undefined>;
  isDraining: () => boolean;
  log: Logger;
}

const CREATED = 'Event created on demand';

/** All routes of a producer. It knows neither the database nor the server: both come in as arguments. */
export function createApp(deps: ProducerDeps): Hono<RequestVariables> {
  const { createEvents, countEvents, findEvent, isDraining, log } = deps;
  const hold = createHold(deps);
  const app = new Hono<RequestVariables>();

  app.use(logRequests(log, isDraining));
  app.onError((error, c) => {
    const problem = toProblem(error);
    if (problem !== error) log.error({ requestId: c.get('requestId'), err: error }, 'request failed');
    return sendProblem(c, problem);
  });
  app.notFound((c) =>
    sendProblem(c, new Problem({ status: 404, title: 'Not Found', detail: 'There is nothing at this path.' })),
  );

  app.get('/', describeRoute(routes.count), async (c) => answerJson(c, 200, { events: await countEvents() }));

  app.post(
    '/create-async',
    describeRoute(routes.createAsync),
    validator('query', createQuerySchema, ({ success }) => {
      if (!success) throw badRequest(`The only parameter is count, once, from 1 to ${MAX_COUNT}.`);
    }),
    checkEventBody,
    async (c) => {
      const { count } = c.req.valid('query');
      const key = idempotencyKey(c.req.header('idempotency-key'));
      const id = await createEvents(
        Array.from({ length: count ?? 1 }, (): NewEvent => ({})),
        key,
      );
      const created = count === undefined ? { message: CREATED, id } : { message: CREATED, id, count };
      return answerJson(c, 202, created, { Location: `/${id}` });
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
      const key = idempotencyKey(c.req.header('idempotency-key'));
      return hold(c, async (settled) => {
        const id = await createEvents([{}], key);
        const event = await settled(id);
        const headers = { Location: `/${id}`, ...preferenceApplied(c) };
        if (event?.status === 'filled') return answerJson(c, 201, event, headers);
        if (event?.status === 'dead') throw deadEvent(id);
        return answerJson(c, 202, { message: CREATED, id }, headers);
      });
    },
  );

  // Before /:id, which would take GET /create-sync for an id.
  for (const path of ['/create-async', '/create-sync']) app.all(path, allow('POST'));

  app.get('/livez', describeRoute(routes.livez), (c) => answerJson(c, 200, { status: 'live' }));
  app.get('/readyz', describeRoute(routes.readyz), async (c) => {
    if (isDraining()) throw unavailable('This producer is shutting down.');
    await countEvents();
    return answerJson(c, 200, { status: 'ready' });
  });

  addDocs(app, documentation);

  app.get('/:id', describeRoute(routes.find), async (c) => {
    const id = eventIdSchema.safeParse(c.req.param('id'));
    if (!id.success) throw badRequest('An id is a whole number, 1 or more, written in plain digits.');
    let event = await findEvent(id.data);
    const waits = preferredWait(c.req.header('prefer')) !== undefined;
    if (waits && (event?.status === 'pending' || event?.status === 'processing')) {
      return hold(c, async (settled) => {
        event = (await settled(id.data)) ?? (await findEvent(id.data));
        return answerJson(c, 200, event, preferenceApplied(c));
      });
    }
    if (event) return answerJson(c, 200, event, preferenceApplied(c));
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
function allow(methods: string): MiddlewareHandler<RequestVariables> {
  return async (c) => {
    if (c.req.method === 'OPTIONS') return answer(c, 204, null, { Allow: `${methods}, OPTIONS` });
    const detail = `${c.req.method} is not possible here, only ${methods}.`;
    throw new Problem({
      status: 405,
      title: 'Method Not Allowed',
      detail,
      headers: { Allow: `${methods}, OPTIONS` },
    });
  };
}
