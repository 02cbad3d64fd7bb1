import type { KindHandler } from './handler.ts';

// Known in the whole process, since a program may load this package twice.
const HANDLERS: unique symbol = Symbol.for('mysql-event-queue.handlers');

/** The handlers of one or more kinds. `defineHandlers` makes it, and a consumer serves it. */
export interface Handlers {
  readonly [HANDLERS]: true;
  readonly kinds: readonly KindHandler[];
}

export function toHandlers(kinds: readonly KindHandler[]): Handlers {
  return { [HANDLERS]: true, kinds };
}

export function isHandlers(value: unknown): value is Handlers {
  return typeof value === 'object' && value !== null && HANDLERS in value;
}
