import type { NewEvent } from '../../database/events/create.ts';
import { checkNew, InvalidEventError, PLAIN_EVENT, payloadIn, toNewEvent } from '../../database/events/new-event.ts';
import { newEventSchema, newEventsSchema } from '../../database/events/new-event-schema.ts';
import { memberText, textsIn } from '../../database/events/raw-json.ts';
import { type BodyLimits, type JsonBody, SMALL_BODY } from '../http/body.ts';

/** Bytes of a list of events. */
export const LIST_LIMIT = 8_388_608;

/** Of the paths whose bodies may have payloads. The members beside one have room in a small body. */
export function createBodyLimits(payloadLimit: number) {
  const limit = (maxBytes: number) => ({
    maxBytes,
    detail: `A body has at most ${maxBytes} bytes here, and each payload in it at most ${payloadLimit}.`,
  });
  return {
    '/create-async': limit(LIST_LIMIT),
    '/create-sync': limit(payloadLimit + SMALL_BODY.maxBytes),
  } satisfies BodyLimits;
}

/** The one event that a body describes; without a body a plain one. Its payload is the text as it was sent. */
export function newEventIn(body: JsonBody | undefined, payloadLimit: number): NewEvent {
  if (body === undefined) return PLAIN_EVENT;
  const event = checkNew(newEventSchema, body.value, 'The event');
  return toNewEvent(event, payloadIn(body.text, event), { payloadLimit });
}

/** The events of `{"events":[…]}`; undefined for any other body. */
export function newEventsIn(body: JsonBody | undefined, payloadLimit: number): NewEvent[] | undefined {
  if (body === undefined || !isList(body)) return undefined;
  const { events } = checkNew(newEventsSchema, body.value, 'The body');
  const texts = textsIn(memberText(body.text, 'events')!);
  return events.map((event, index) =>
    toNewEvent(event, payloadIn(texts[index]!, event), { payloadLimit, name: `events[${index}].payload` }),
  );
}

export function refuseList(body: JsonBody | undefined): void {
  if (body === undefined || !isList(body)) return;
  throw new InvalidEventError('create-sync creates one event; POST /create-async takes a list of events.');
}

function isList({ value }: JsonBody): boolean {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, 'events');
}
