import type { Hono } from 'hono';
import { describeRoute, validator } from 'hono-openapi';
import type { DeadPage, EventDetails } from '../../database/events/operate.ts';
import { allow } from '../http/allow-methods.ts';
import { answerJson } from '../http/answer.ts';
import { badRequest, isTransient, Problem, unavailable } from '../http/problem.ts';
import type { RequestVariables } from '../http/request-log.ts';
import { requireToken } from '../http/tokens.ts';
import { deadQuerySchema, MAX_DEAD, operatorRoutes } from '../openapi/operator-routes.ts';
import { noEvent, toEventId } from './event-id.ts';

export interface OperatorDeps {
  /** SHA-256 hashes of the tokens that open these routes, in hex. */
  tokens: readonly string[];
  listDead: (page: DeadPage) => Promise<EventDetails[]>;
  showEvent: (id: number) => Promise<EventDetails | undefined>;
  /** Resolves to those that were dead. */
  reviveEvents: (ids: readonly number[]) => Promise<Set<number>>;
  reviveAllDead: () => Promise<number>;
}

/** What an operator sees and does over HTTP. Every path under /operator asks for an operator's token. */
export function addOperatorRoutes(app: Hono<RequestVariables>, deps: OperatorDeps): void {
  const { tokens, listDead, showEvent, reviveEvents, reviveAllDead } = deps;
  app.use('/operator/*', requireToken(tokens));

  app.get(
    '/operator/dead',
    describeRoute(operatorRoutes.dead),
    validator('query', deadQuerySchema, ({ success }) => {
      if (!success) throw badRequest(`The parameters are limit, from 1 to ${MAX_DEAD}, and after, an id or 0.`);
    }),
    async (c) => {
      const { limit, after } = c.req.valid('query');
      const events = await listDead({ limit, after });
      return answerJson(c, 200, { events, next: events.length < limit ? null : events.at(-1)!.id });
    },
  );

  app.get('/operator/events/:id', describeRoute(operatorRoutes.show), async (c) => {
    const id = toEventId(c.req.param('id'));
    const event = await showEvent(id);
    if (!event) throw noEvent(id);
    return answerJson(c, 200, event);
  });

  app.post('/operator/dead/revive', describeRoute(operatorRoutes.reviveAll), async (c) => {
    const revived = await reviveAllDead().catch((error: unknown) => {
      throw isTransient(error) ? unavailable('The database was lost. Some may be revived already; ask again.') : error;
    });
    return answerJson(c, 200, { revived });
  });

  app.post('/operator/dead/:id/revive', describeRoute(operatorRoutes.revive), async (c) => {
    const id = toEventId(c.req.param('id'));
    if ((await reviveEvents([id])).has(id)) return answerJson(c, 200, { revived: 1 });
    const event = await showEvent(id);
    if (!event) throw noEvent(id);
    throw new Problem({ status: 409, title: 'Conflict', detail: `Event ${id} is not dead but ${event.status}.` });
  });

  for (const path of ['/operator/dead', '/operator/events/:id']) app.all(path, allow('GET, HEAD'));
  for (const path of ['/operator/dead/revive', '/operator/dead/:id/revive']) app.all(path, allow('POST'));
  app.all('/operator/*', (c) => c.notFound());
}
