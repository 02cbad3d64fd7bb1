import type { Context } from 'hono';
import type { z } from 'zod';
import { badRequest } from './problem.ts';

/** The parameters of a request as `schema` wants them, or a 400 with `detail`. A parameter given twice is a list. */
export function readQuery<S extends z.ZodType>(c: Context, schema: S, detail: string): z.infer<S> {
  const given = Object.entries(c.req.queries()).map(([name, values]) => [
    name,
    values.length === 1 ? values[0] : values,
  ]);
  const query = schema.safeParse(Object.fromEntries(given));
  if (!query.success) throw badRequest(detail);
  return query.data;
}
