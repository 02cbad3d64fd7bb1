import { type DescribeRouteOptions, resolver } from 'hono-openapi';
import { z } from 'zod';
import { problemSchema } from './schemas.ts';

/** By the method and the path of each route, as the app has them: `GET /:id`. */
export type RouteDescriptions = Record<`${'GET' | 'POST'} /${string}`, DescribeRouteOptions>;

/** An answer that is a JSON document of ours. */
export const json = (description: string, schema: z.ZodType) => ({
  description,
  content: { 'application/json': { schema: resolver(schema) } },
});

/** An answer that is an RFC 9457 document. */
export const problem = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: resolver(problemSchema) } },
});

type Parameters = NonNullable<DescribeRouteOptions['parameters']>;

/** The parameters that `schema` reads out of a query or a path, as it wants them. */
export function parametersOf(where: 'query' | 'path', schema: z.ZodObject): Parameters {
  const { properties = {} } = z.toJSONSchema(schema);
  return Object.entries(properties).map(([name, property]) => {
    const { description, example, ...bounds } = property as Record<string, unknown>;
    return { name, in: where, required: where === 'path', description, example, schema: bounds };
  }) as Parameters;
}

/** A header that a route reads; `pattern` is the rule it is read by. */
export const header = (name: string, description: string, example: string, pattern?: RegExp) => ({
  name,
  in: 'header' as const,
  description,
  schema: { type: 'string' as const, ...(pattern && { pattern: pattern.source }) },
  example,
});

export const serverFault = { 500: problem('A fault of the server, whose log has more under the requestId') };
export const databaseDown = { ...serverFault, 503: problem('The database cannot be used now') };
