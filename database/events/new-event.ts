import type { z } from 'zod';
import type { NewEvent } from './create.ts';
import type { newEventSchema } from './new-event-schema.ts';
import { memberText } from './raw-json.ts';
import { toTraceText } from './trace.ts';

/** An event that says nothing of itself, as most do: one object for all of them. */
export const PLAIN_EVENT: NewEvent = Object.freeze({});

/** What is wrong with a new event, by the name of its member, and what would be right. Nothing was created. */
export class InvalidEventError extends Error {
  override readonly name = 'InvalidEventError';
  /** Whether it only has too many bytes. */
  readonly isTooLarge: boolean;

  constructor(message: string, { isTooLarge = false, cause }: { isTooLarge?: boolean; cause?: unknown } = {}) {
    super(message, { cause });
    this.isTooLarge = isTooLarge;
  }
}

/** `value` as `schema` wants it, or an InvalidEventError; `subject` is what it calls the value as a whole. */
export function checkNew<S extends z.ZodType>(schema: S, value: unknown, subject: string): z.infer<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0]!;
  throw new InvalidEventError(`${nameOf(path) || subject} ${message}.`);
}

/** `events[17].kind` */
function nameOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>((name, part) => {
    if (typeof part === 'number') return `${name}[${part}]`;
    return name === '' ? String(part) : `${name}.${String(part)}`;
  }, '');
}

type TraceHeaders = Record<'traceparent' | 'tracestate', string | undefined>;

/** The events with the trace of whoever creates them. Without one they stay as they are: a word needs no payload row then. */
export function withTrace(events: readonly NewEvent[], given: Partial<TraceHeaders> = {}): readonly NewEvent[] {
  const trace = toTraceText(given.traceparent, given.tracestate);
  return trace === undefined ? events : events.map((event) => ({ ...event, trace }));
}

export interface PayloadRule {
  /** Most bytes of its JSON text. */
  payloadLimit: number;
  /** What messages call it. @default 'payload' */
  name?: string;
}

/** `members` and `payload`, which is JSON text, as a new event. */
export function toNewEvent(
  { kind, key, delayMs }: Pick<z.infer<typeof newEventSchema>, 'kind' | 'key' | 'delayMs'>,
  payload: string | undefined,
  { payloadLimit, name = 'payload' }: PayloadRule,
): NewEvent {
  const bytes = payload === undefined ? 0 : Buffer.byteLength(payload);
  if (bytes > payloadLimit) {
    throw new InvalidEventError(`${name} has ${bytes} bytes of JSON, and at most ${payloadLimit} are accepted.`, {
      isTooLarge: true,
    });
  }
  return {
    ...(kind !== undefined && { kind }),
    ...(payload !== undefined && { payload }),
    ...(key !== undefined && { key }),
    ...(delayMs !== undefined && { delayMs }),
  };
}

/** The payload of an event in its JSON text, as it was sent: JSON.parse rounds numbers and forgets repeated members. */
export function payloadIn(eventText: string, event: object): string | undefined {
  return Object.hasOwn(event, 'payload') ? memberText(eventText, 'payload') : undefined;
}
