import type { HandlerContext, HandlerEvent } from '../handlers/handler.ts';

/** An event as a consumer hands it to a handler, with whatever a test cares about. */
export function handlerEvent(given: Partial<HandlerEvent> = {}): HandlerEvent {
  const { payload } = given;
  return {
    id: 1,
    kind: 'email',
    key: undefined,
    attempt: 1,
    failures: 0,
    waits: 0,
    createdAt: new Date('2026-01-02T03:04:05.678Z'),
    payload,
    payloadText: payload === undefined ? undefined : JSON.stringify(payload),
    trace: undefined,
    ...given,
  };
}

export const handlerEvents = (count: number): HandlerEvent[] =>
  Array.from({ length: count }, (_, index) => handlerEvent({ id: index + 1 }));

/** The context of a call that nobody aborts. */
export const UNABORTED: HandlerContext = {
  signal: new AbortController().signal,
  installationId: '2f1d6a52-8c3e-4b7a-9d10-5e6f7a8b9c0d',
};
