import type { NewEvent } from '../database/events/create.ts';
import { DEFAULT_KIND } from '../database/events/limits.ts';
import { checkNew, InvalidEventError, toNewEvent, withTrace } from '../database/events/new-event.ts';
import { newEventSchema, newEventsSchema } from '../database/events/new-event-schema.ts';
import type { SettledEvent } from '../database/events/read.ts';
import type { Trace } from '../database/events/trace.ts';
import type { WaitFor } from './completion-poller.ts';

/** An event to create. Undefined members count as not given. */
export interface EventInput {
  /** The sort of work: `[a-z][a-z0-9._-]{0,63}`. It exists from its first use. @default 'word' */
  kind?: string | undefined;
  /** What its handler gets, as JSON.stringify writes it. @default nothing */
  payload?: unknown;
  /** Events with the same key are worked on one at a time, in the order of their ids. @default none */
  key?: string | undefined;
  /** How long nobody works on it yet. @default 0 */
  delayMs?: number | undefined;
}

/** What became of an event by the time that its caller stopped waiting. */
export type CreatedEvent =
  /**
   * The value: the text of a word, the parsed JSON of another kind. `problem`: a client of another language filled it with
   * text that is no JSON, and the value is that text.
   */
  | { id: number; kind: string; value: unknown; status: 'filled'; problem?: string }
  /** `deadReason`: only what the handler gave with dead(reason). */
  | { id: number; kind: string; deadReason: string | null; status: 'dead' }
  /** Somebody deleted its row. */
  | { id: number; status: 'gone' }
  /** Neither yet. It is committed, and will be filled all the same. */
  | { id: number; status: 'open' };

export interface CreateOptions {
  /** The W3C Trace Context of whoever creates, which handlers get; a malformed one is ignored. @default none */
  trace?: Trace | undefined;
}

export interface WaitOptions extends CreateOptions {
  /** How long to wait, in ms, from when it was created. @default Infinity */
  waitMs?: number;
  /** Ends the wait. Aborted beforehand, nothing is created and its reason is thrown. @default none */
  signal?: AbortSignal;
}

export interface EventCreator {
  /**
   * Creates 1 to 10,000 events in one transaction, with ids from `id` on without a gap. After InvalidEventError or
   * QueueFullError nothing was created; after a DatabaseError of the fault `unknown`, nobody knows.
   * @example await producer.create([{ kind: 'email', payload }]);
   */
  create: (events: readonly EventInput[], options?: CreateOptions) => Promise<{ id: number; count: number }>;
  /**
   * Creates one event as `create` does and waits until it is settled. It needs `run`, which looks for settled events.
   * @example const event = await producer.createAndWait({ kind: 'thumbnail', payload }, { waitMs: 10_000 });
   */
  createAndWait: (event: EventInput, options?: WaitOptions) => Promise<CreatedEvent>;
}

export interface EventCreatorDeps {
  createEvents: (events: readonly NewEvent[]) => Promise<number>;
  waitFor: WaitFor;
  payloadLimit: number;
}

/** Creates for code in the same process; the rules are those of HTTP. */
export function createEventCreator({ createEvents, waitFor, payloadLimit }: EventCreatorDeps): EventCreator {
  const toEvent = (event: EventInput, name: string) =>
    toNewEvent(event, stringify(event.payload, name), { payloadLimit, name });

  return {
    create: async (given, { trace } = {}) => {
      const { events } = checkNew(newEventsSchema, { events: given }, 'The create');
      const newEvents = events.map((event, index) => toEvent(event, `events[${index}].payload`));
      return { id: await createEvents(withTrace(newEvents, trace)), count: newEvents.length };
    },
    createAndWait: async (given, { waitMs, signal, trace } = {}) => {
      signal?.throwIfAborted();
      const event = checkNew(newEventSchema, given, 'The event');
      const id = await createEvents(withTrace([toEvent(event, 'payload')], trace));
      // One signal may end thousands of waits, and would warn of that many listeners.
      const left = AbortSignal.any(signal ? [signal] : []);
      return toCreatedEvent(id, await waitFor(id, left, waitMs));
    },
  };
}

/** Undefined for none; what is no JSON is refused. */
export function stringify(payload: unknown, name: string): string | undefined {
  if (payload === undefined) return undefined;
  try {
    const text: string | undefined = JSON.stringify(payload);
    if (text !== undefined) return text;
    throw new TypeError(`a ${typeof payload} is none`);
  } catch (cause) {
    throw new InvalidEventError(`${name} must be a JSON value: ${(cause as Error).message}.`, { cause });
  }
}

function toCreatedEvent(id: number, event: SettledEvent | undefined): CreatedEvent {
  switch (event?.status) {
    case 'filled': {
      const { valor, ...filled } = event;
      return { ...filled, value: event.kind === DEFAULT_KIND ? valor : JSON.parse(valor) };
    }
    case 'dead':
      return { id, kind: event.kind, deadReason: event.deadReason, status: 'dead' };
    case 'gone':
      return { id, status: 'gone' };
    case undefined:
      return { id, status: 'open' };
  }
}
