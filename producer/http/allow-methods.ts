import type { MiddlewareHandler } from 'hono';
import { answer } from './answer.ts';
import { Problem } from './problem.ts';
import type { RequestVariables } from './request-log.ts';

/** For what is left over at a path: OPTIONS is told the methods, any other method is refused with them (RFC 9110). */
export function allow(methods: string): MiddlewareHandler<RequestVariables> {
  return async (c) => {
    if (c.req.method === 'OPTIONS') return answer(c, 204, null, { Allow: `${methods}, OPTIONS` });
    const detail = `${c.req.method} is not possible here, only ${methods}.`;
    throw new Problem({
      status: 405,
      title: 'Method Not Allowed',
      detail,
      headers: { Allow: `${methods}, OPTIONS` },
    });
  };
}
