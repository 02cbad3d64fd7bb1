import { DEFAULT_KIND } from '../../database/events/limits.ts';
import type { ShownEvent } from '../../database/events/operate.ts';
import type { EventView } from '../../database/events/read.ts';

/** An event for callers. The value of a kind other than word is JSON already, and handed on digit for digit. */
export function eventJson({ id, kind, valor, status, problem }: EventView): string {
  const value = valor === null || kind === DEFAULT_KIND ? JSON.stringify(valor) : valor;
  const said = problem === undefined ? '' : `,"problem":${JSON.stringify(problem)}`;
  return `{"id":${id},"kind":${JSON.stringify(kind)},"valor":${value},"status":"${status}"${said}}`;
}

/** The same with all else that an operator asks about it. The payload is JSON as well. */
export function shownEventJson({ id, kind, valor, status, payload, ...more }: ShownEvent): string {
  const event = eventJson({ id, kind, valor, status }).slice(0, -1);
  return `${event},"payload":${payload},${JSON.stringify(more).slice(1)}`;
}
