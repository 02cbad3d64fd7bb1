import type { Context, Hono } from 'hono';
import type { LogLine, LogSearch } from '../../database/events/log.ts';
import type { DeadPage, EventDetails, Revived, ReviveOptions, ShownEvent } from '../../database/events/operate.ts';
import { allow } from '../http/allow-methods.ts';
import { answerJson, answerJsonText } from '../http/answer.ts';
import { Problem, unavailable } from '../http/problem.ts';
import { readQuery } from '../http/query.ts';
import type { RequestVariables } from '../http/request-log.ts';
import { requireToken } from '../http/tokens.ts';
import { deadQuerySchema, logQuerySchema, PAGE_LIMIT, reviveQuerySchema } from '../openapi/schemas.ts';
import { isTransient } from '../to-problem.ts';
import { noEvent, toEventId } from './event-id.ts';
import { shownEventJson } from './event-json.ts';

export interface OperatorRouteDeps {
  /** SHA-256 hashes of the tokens that open these routes, in hex. Without any, there are no such routes. */
  operatorTokens: readonly string[];
  listDead: (page: DeadPage) => Promise<EventDetails[]>;
  showEvent: (id: number) => Promise<ShownEvent | undefined>;
  searchLog: (search: LogSearch) => Promise<LogLine[]>;
  reviveEvents: (ids: readonly number[], options: ReviveOptions) => Promise<Revived<Set<number>>>;
  reviveAllDead: (options: ReviveOptions) => Promise<Revived<number>>;
}

/** What an operator sees and does over HTTP. Every path under /operator asks for an operator's token. */
export function addOperatorRoutes(app: Hono<RequestVariables>, deps: OperatorRouteDeps): void {
  const { operatorTokens, listDead, showEvent, searchLog, reviveEvents, reviveAllDead } = deps;
  app.use('/operator/*', requireToken(operatorTokens));

  app.get('/operator/dead', async (c) => {
    const range = `The parameters are limit, from 1 to ${PAGE_LIMIT}, and after, an id or 0; each at most once.`;
    const { limit, after } = readQuery(c, deadQuerySchema, range);
    const events = await listDead({ limit, after });
    return answerJson(c, 200, { events, next: events.length < limit ? null : events.at(-1)!.id });
  });

  app.get('/operator/events/:id', async (c) => {
    const id = toEventId(c.req.param('id'));
    const event = await showEvent(id);
    if (!event) throw noEvent(id);
    return answerJsonText(c, 200, shownEventJson(event));
  });

  app.get('/operator/log', async (c) => {
    const range = `The parameters are id, key, limit, from 1 to ${PAGE_LIMIT}, and before, a line; each at most once.`;
    const search = readQuery(c, logQuerySchema, range);
    const lines = await searchLog(search);
    return answerJson(c, 200, { lines, next: lines.length < search.limit ? null : lines[0]!.line });
  });

  app.post('/operator/dead/revive', async (c) => {
    const answer = await reviveAllDead(reviveOptions(c)).catch((error: unknown) => {
      throw isTransient(error) ? unavailable('The database was lost. Some may be revived already; ask again.') : error;
    });
    return answerJson(c, 200, answer);
  });

  app.post('/operator/dead/:id/revive', async (c) => {
    const id = toEventId(c.req.param('id'));
    const { revived, outOfOrder } = await reviveEvents([id], reviveOptions(c));
    if (revived.has(id)) return answerJson(c, 200, { revived: 1 });
    if (outOfOrder.has(id)) throw new Problem({ status: 409, detail: outOfOrderSentence(id) });
    const event = await showEvent(id);
    if (!event) throw noEvent(id);
    if (event.status === 'dead') throw unavailable(`Event ${id} is locked by another connection. Nothing was changed.`);
    throw new Problem({ status: 409, detail: `Only a dead event can be revived; event ${id} is ${event.status}.` });
  });

  for (const path of ['/operator/dead', '/operator/events/:id', '/operator/log']) app.all(path, allow('GET, HEAD'));
  for (const path of ['/operator/dead/revive', '/operator/dead/:id/revive']) app.all(path, allow('POST'));
  app.all('/operator/*', (c) => c.notFound());
}

function reviveOptions(c: Context): ReviveOptions {
  const { outOfOrder } = readQuery(c, reviveQuerySchema, 'The parameter is outOfOrder, true or false, at most once.');
  return { outOfOrder: outOfOrder === 'true' };
}

function outOfOrderSentence(id: number): string {
  return `A later event with the key of event ${id} is filled or deleted, so it would run out of order; ?outOfOrder=true revives it all the same.`;
}
