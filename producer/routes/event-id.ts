import { badRequest, Problem } from '../http/problem.ts';
import { eventIdSchema } from '../openapi/schemas.ts';

/** The id that a path names; throws 400 if it is none. */
export function toEventId(text: string): number {
  const id = eventIdSchema.safeParse(text);
  if (id.success) return id.data;
  throw badRequest(`An id is a whole number, 1 to ${Number.MAX_SAFE_INTEGER}, written in plain digits.`);
}

/** 404 for an id that could be an event’s and is none’s. */
export function noEvent(id: number): Problem {
  return new Problem({ status: 404, detail: `There is no event ${id}.` });
}
