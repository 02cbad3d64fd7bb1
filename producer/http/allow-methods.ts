import type { MiddlewareHandler } from 'hono';
import { answer } from './answer.ts';
import { Problem } from './problem.ts';
import type { RequestVariables } from './request-log.ts';

/** Answers every other method of a path: OPTIONS with these methods, the rest with 405 (RFC 9110). */
export function allow(methods: string): MiddlewareHandler<RequestVariables> {
  const headers = { Allow: `${methods}, OPTIONS` };
  return async (c) => {
    const { method } = c.req;
    if (method === 'OPTIONS') return answer(c, 204, null, headers);
    throw new Problem({ status: 405, detail: `${method} is not allowed here; use ${methods}.`, headers });
  };
}
