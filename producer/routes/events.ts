import type { Context, Hono } from 'hono';
import type { NewEvent } from '../../database/events/create.ts';
import { EVENTS_LIMIT } from '../../database/events/limits.ts';
import { InvalidEventError, withTrace } from '../../database/events/new-event.ts';
import type { EventView } from '../../database/events/read.ts';
import { createHeldRequests, type HeldRequestsDeps, type HoldRequest } from '../held-requests.ts';
import { allow } from '../http/allow-methods.ts';
import { answerJson, answerJsonText } from '../http/answer.ts';
import { createJsonReader } from '../http/body.ts';
import { idempotencyKey } from '../http/idempotency-key.ts';
import { preferenceApplied, preferredWait } from '../http/prefer.ts';
import { Problem } from '../http/problem.ts';
import { readQuery } from '../http/query.ts';
import type { RequestVariables } from '../http/request-log.ts';
import { createQuerySchema, noQuerySchema } from '../openapi/schemas.ts';
import { noEvent, toEventId } from './event-id.ts';
import { eventJson } from './event-json.ts';
import { createBodyLimits, LIST_LIMIT, newEventIn, newEventsIn, refuseList } from './new-events-in-body.ts';

export interface EventRouteDeps extends HeldRequestsDeps {
  /** Resolves to the id of the first once all are committed; with a key that was used before, to that of its events. */
  createEvents: (events: readonly NewEvent[], key?: string) => Promise<number>;
  countEvents: () => Promise<number>;
  findEvent: (id: number) => Promise<EventView | undefined>;
  /** Most bytes of an event's payload. */
  payloadLimit: number;
}

const CREATED = 'Event created on demand';

/** Creating and reading events. To be added last: `/:id` takes every path of one segment that is left. */
export function addEventRoutes(app: Hono<RequestVariables>, deps: EventRouteDeps): void {
  const hold = createHeldRequests(deps);
  addCreates(app, deps, hold);
  addReads(app, deps, hold);
}

function addCreates(
  app: Hono<RequestVariables>,
  { createEvents, payloadLimit }: EventRouteDeps,
  hold: HoldRequest,
): void {
  const limits = createBodyLimits(payloadLimit);
  const readMany = createJsonReader(limits['/create-async']);
  const readOne = createJsonReader(limits['/create-sync']);

  app.post('/create-async', async (c) => {
    const { count } = readQuery(c, createQuerySchema, `The only parameter is count, once, from 1 to ${EVENTS_LIMIT}.`);
    const key = idempotencyKey(c.req.header('idempotency-key'));
    const body = await readMany(c);
    const list = newEventsIn(body, payloadLimit);
    if (list && count !== undefined) throw new InvalidEventError('Send count or a list of events, not both.');
    const newEvents = list ?? repeat(newEventIn(body, payloadLimit), count);
    const id = await createEvents(withTrace(newEvents, traceOf(c)), key);
    const isOne = list === undefined && count === undefined;
    const created = isOne ? { message: CREATED, id } : { message: CREATED, id, count: newEvents.length };
    return answerJson(c, 202, created, { Location: `/${id}` });
  });

  app.post('/create-sync', async (c) => {
    using held = hold(c);
    readQuery(c, noQuerySchema, 'create-sync has no parameters; create-async?count=N creates many.');
    const key = idempotencyKey(c.req.header('idempotency-key'));
    const body = await readOne(c);
    refuseList(body);
    const id = await createEvents(withTrace([newEventIn(body, payloadLimit)], traceOf(c)), key);
    const event = await held.settled(id);
    const headers = { Location: `/${id}`, ...preferenceApplied(c) };
    switch (event?.status) {
      case 'filled':
        return answerJsonText(c, 201, eventJson(event), headers);
      case 'dead':
        throw deadEvent(id, event.deadReason);
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
    return answerJsonText(c, 200, eventJson(event), preferenceApplied(c));
  });

  for (const path of ['/', '/:id']) app.all(path, allow('GET, HEAD'));
}

function traceOf(c: Context) {
  return { traceparent: c.req.header('traceparent'), tracestate: c.req.header('tracestate') };
}

/** `count` equal events, unless they are more together than a list could be. */
function repeat(event: NewEvent, count = 1): NewEvent[] {
  if (count * Buffer.byteLength(event.payload ?? '') > LIST_LIMIT) {
    const message = `count events with this payload have more than ${LIST_LIMIT} bytes; ask for fewer at once.`;
    throw new InvalidEventError(message, { isTooLarge: true });
  }
  return Array<NewEvent>(count).fill(event);
}

/** Why it died is its handler's business, unless the handler says so itself. */
function deadEvent(id: number, reason: string | null): Problem {
  const detail =
    reason === null
      ? `All attempts of event ${id} failed. Only an operator can revive it.`
      : `Event ${id} is dead, and its handler says why: “${reason}”.`;
  return new Problem({ status: 502, detail, members: { id }, headers: { Location: `/${id}` } });
}

function goneEvent(id: number): Problem {
  return new Problem({ status: 410, detail: `Event ${id} was deleted before it was filled.`, members: { id } });
}
