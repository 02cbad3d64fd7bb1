import type { Hono } from 'hono';
import type { NewEvent } from '../../database/events/create.ts';
import type { EventView } from '../../database/events/read.ts';
import { createHeldRequests, type HeldRequestsDeps, type HoldRequest } from '../held-requests.ts';
import { allow } from '../http/allow-methods.ts';
import { answerJson } from '../http/answer.ts';
import { readJson } from '../http/body.ts';
import { idempotencyKey } from '../http/idempotency-key.ts';
import { preferenceApplied, preferredWait } from '../http/prefer.ts';
import { Problem } from '../http/problem.ts';
import { readQuery } from '../http/query.ts';
import type { RequestVariables } from '../http/request-log.ts';
import { createQuerySchema, MAX_COUNT, newEventSchema, noQuerySchema } from '../openapi/schemas.ts';
import { noEvent, toEventId } from './event-id.ts';

export interface EventRouteDeps extends HeldRequestsDeps {
  /** Resolves to the id of the first once all are committed; with a key that was used before, to that of its events. */
  createEvents: (events: readonly NewEvent[], key?: string) => Promise<number>;
  countEvents: () => Promise<number>;
  findEvent: (id: number) => Promise<EventView | undefined>;
}

const CREATED = 'Event created on demand';
const NO_MEMBERS = 'An event has no members that a caller can set. Send {} or no body.';

/** Creating and reading events. To be added last: `/:id` takes every path of one segment that is left. */
export function addEventRoutes(app: Hono<RequestVariables>, deps: EventRouteDeps): void {
  const hold = createHeldRequests(deps);
  addCreates(app, deps, hold);
  addReads(app, deps, hold);
}

function addCreates(app: Hono<RequestVariables>, { createEvents }: EventRouteDeps, hold: HoldRequest): void {
  app.post('/create-async', async (c) => {
    const { count } = readQuery(c, createQuerySchema, `The only parameter is count, once, from 1 to ${MAX_COUNT}.`);
    const key = idempotencyKey(c.req.header('idempotency-key'));
    await readJson(c, newEventSchema, NO_MEMBERS);
    const newEvents = Array.from({ length: count ?? 1 }, (): NewEvent => ({}));
    const id = await createEvents(newEvents, key);
    const created = count === undefined ? { message: CREATED, id } : { message: CREATED, id, count };
    return answerJson(c, 202, created, { Location: `/${id}` });
  });

  app.post('/create-sync', async (c) => {
    using held = hold(c);
    readQuery(c, noQuerySchema, 'create-sync has no parameters; create-async?count=N creates many.');
    const key = idempotencyKey(c.req.header('idempotency-key'));
    await readJson(c, newEventSchema, NO_MEMBERS);
    const id = await createEvents([{}], key);
    const event = await held.settled(id);
    const headers = { Location: `/${id}`, ...preferenceApplied(c) };
    switch (event?.status) {
      case 'filled':
        return answerJson(c, 201, event, headers);
      case 'dead':
        throw deadEvent(id);
      case 'gone':
        throw goneEvent(id);
      case undefined:
        return answerJson(c, 202, { message: CREATED, id }, headers);
    }
  });

  // Before /:id, which would take GET /create-sync for an id.
  for (const path of ['/create-async', '/create-sync']) app.all(path, allow('POST'));
}

function addReads(app: Hono<RequestVariables>, { countEvents, findEvent }: EventRouteDeps, hold: HoldRequest): void {
  app.get('/', async (c) => answerJson(c, 200, { events: await countEvents() }));

  app.get('/:id', async (c) => {
    const id = toEventId(c.req.param('id'));
    let event = await findEvent(id);
    const waits = preferredWait(c.req.header('prefer')) !== undefined;
    if (waits && (event?.status === 'pending' || event?.status === 'processing')) {
      using held = hold(c);
      const settled = await held.settled(id);
      event = settled && settled.status !== 'gone' ? settled : await findEvent(id);
    }
    if (!event) throw noEvent(id);
    return answerJson(c, 200, event, preferenceApplied(c));
  });

  for (const path of ['/', '/:id']) app.all(path, allow('GET, HEAD'));
}

function deadEvent(id: number): Problem {
  const detail = `All attempts of event ${id} failed. Only an operator can revive it.`;
  return new Problem({ status: 502, detail, members: { id }, headers: { Location: `/${id}` } });
}

function goneEvent(id: number): Problem {
  return new Problem({ status: 410, detail: `Event ${id} was deleted before it was filled.`, members: { id } });
}
