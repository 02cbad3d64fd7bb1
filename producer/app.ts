import { type Context, Hono } from 'hono';
import { describeRoute } from 'hono-openapi';
import type { NewEvent } from '../database/events/create.ts';
import type { EventView } from '../database/events/read.ts';
import { FixedPathRouter } from './fixed-path-router.ts';
import { createHeldRequests, type HeldRequestsOptions } from './held-requests.ts';
import { allow } from './http/allow-methods.ts';
import { answerJson } from './http/answer.ts';
import { checkEventBody } from './http/body.ts';
import { allowOrigins } from './http/cors.ts';
import { idempotencyKey } from './http/idempotency-key.ts';
import { preferenceApplied, preferredWait } from './http/prefer.ts';
import { Problem, sendProblem, toProblem, unavailable } from './http/problem.ts';
import { readQuery } from './http/query.ts';
import { logRequests, type RequestLogDeps, type RequestVariables } from './http/request-log.ts';
import { requireToken } from './http/tokens.ts';
import { described, documentationOf, routes } from './openapi/event-routes.ts';
import { createQuerySchema, MAX_COUNT, noQuerySchema } from './openapi/schemas.ts';
import { addDocs } from './routes/docs.ts';
import { noEvent, toEventId } from './routes/event-id.ts';
import { addOperatorRoutes, type OperatorDeps } from './routes/operator.ts';

export interface ProducerDeps extends HeldRequestsOptions, RequestLogDeps {
  /** Resolves to the id of the first once all are committed; with a key that was used before, to that of its events. */
  createEvents: (events: readonly NewEvent[], key?: string) => Promise<number>;
  countEvents: () => Promise<number>;
  findEvent: (id: number) => Promise<EventView | undefined>;
  /** Of the tokens that callers need, as SHA-256 in hex. Default: they need none. */
  apiTokens?: readonly string[];
  /** Whose pages browsers let call us. Default: nobody's. */
  corsOrigins?: readonly string[];
  /** Without it there is nothing under /operator. */
  operator?: OperatorDeps | undefined;
}

// Probes have no token, and the page for people cannot show what it may not read.
const isOpen = (path: string) => /^\/(livez|readyz|openapi\.json|docs(\/.*)?)$/.test(path);

const CREATED = 'Event created on demand';

/** All routes of a producer. It knows neither the database nor the server: both come in as arguments. */
export function createApp(deps: ProducerDeps): Hono<RequestVariables> {
  const { createEvents, countEvents, findEvent, isDraining, log } = deps;
  const takePlace = createHeldRequests(deps);
  const { apiTokens = [], corsOrigins = [], operator } = deps;
  const app = new Hono<RequestVariables>({ router: new FixedPathRouter() });

  app.use(logRequests(deps));
  app.onError((error, c) => {
    const problem = toProblem(error);
    if (problem !== error) log.error({ requestId: c.get('requestId'), err: error }, 'request failed');
    return sendProblem(c, problem);
  });
  app.notFound((c) =>
    sendProblem(c, new Problem({ status: 404, title: 'Not Found', detail: 'There is nothing at this path.' })),
  );

  if (corsOrigins.length > 0) app.use(allowOrigins(corsOrigins));
  if (operator) addOperatorRoutes(app, operator);
  if (apiTokens.length > 0) app.use(requireToken(apiTokens, isOpen));

  app.get('/', describeRoute(routes.count), async (c) => answerJson(c, 200, { events: await countEvents() }));

  app.post(
    '/create-async',
    described(routes.createAsync, async (c: Context<RequestVariables>) => {
      const { count } = readQuery(c, createQuerySchema, `The only parameter is count, once, from 1 to ${MAX_COUNT}.`);
      const key = idempotencyKey(c.req.header('idempotency-key'));
      await checkEventBody(c);
      const id = await createEvents(
        Array.from({ length: count ?? 1 }, (): NewEvent => ({})),
        key,
      );
      const created = count === undefined ? { message: CREATED, id } : { message: CREATED, id, count };
      return answerJson(c, 202, created, { Location: `/${id}` });
    }),
  );

  app.post(
    '/create-sync',
    described(routes.createSync, async (c: Context<RequestVariables>) => {
      using place = takePlace(c);
      readQuery(c, noQuerySchema, 'create-sync has no parameters.');
      const key = idempotencyKey(c.req.header('idempotency-key'));
      await checkEventBody(c);
      const id = await createEvents([{}], key);
      const event = await place.settled(id);
      const headers = { Location: `/${id}`, ...preferenceApplied(c) };
      if (event?.status === 'filled') return answerJson(c, 201, event, headers);
      if (event?.status === 'dead') throw deadEvent(id);
      return answerJson(c, 202, { message: CREATED, id }, headers);
    }),
  );

  // Before /:id, which would take GET /create-sync for an id.
  for (const path of ['/create-async', '/create-sync']) app.all(path, allow('POST'));

  app.get('/livez', describeRoute(routes.livez), (c) => answerJson(c, 200, { status: 'live' }));
  app.get('/readyz', describeRoute(routes.readyz), async (c) => {
    if (isDraining()) throw unavailable('This producer is shutting down.');
    await countEvents();
    return answerJson(c, 200, { status: 'ready' });
  });

  addDocs(app, documentationOf({ token: apiTokens.length > 0, operator: operator !== undefined }));

  app.get('/:id', describeRoute(routes.find), async (c) => {
    const id = toEventId(c.req.param('id'));
    let event = await findEvent(id);
    const waits = preferredWait(c.req.header('prefer')) !== undefined;
    if (waits && (event?.status === 'pending' || event?.status === 'processing')) {
      using place = takePlace(c);
      event = (await place.settled(id)) ?? (await findEvent(id));
    }
    if (!event) throw noEvent(id);
    return answerJson(c, 200, event, preferenceApplied(c));
  });

  for (const path of ['/', '/:id']) app.all(path, allow('GET, HEAD'));
  return app;
}

function deadEvent(id: number): Problem {
  const detail = `Event ${id} failed as often as it may, and nobody will try it again by itself.`;
  return new Problem({ status: 502, title: 'Bad Gateway', detail, members: { id }, headers: { Location: `/${id}` } });
}
