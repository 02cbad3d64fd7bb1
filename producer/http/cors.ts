import type { MiddlewareHandler } from 'hono';
import { cors } from 'hono/cors';
import type { RequestVariables } from './request-log.ts';

/** Lets pages of these origins call, and answers what their browsers ask before. Others get no CORS header at all. */
export function allowOrigins(origins: readonly string[]): MiddlewareHandler<RequestVariables> {
  const answer = cors({
    origin: [...origins],
    allowMethods: ['GET', 'HEAD', 'POST'],
    allowHeaders: [
      'Authorization',
      'Content-Type',
      'Event-Key', // for an nginx before several queues
      'Idempotency-Key',
      'Prefer',
      'Traceparent',
      'Tracestate',
      'X-Request-Id',
    ],
    exposeHeaders: ['Location', 'Preference-Applied', 'Retry-After', 'X-Request-Id'],
    maxAge: 600,
  });
  return (c, next) => {
    const origin = c.req.header('origin');
    // OPTIONS alone is no preflight: it is told the methods, as ever.
    const isPreflight = c.req.header('access-control-request-method') !== undefined;
    if (origin === undefined || !origins.includes(origin) || (c.req.method === 'OPTIONS' && !isPreflight)) {
      c.res.headers.set('Vary', 'Origin'); // a cache must not hand this answer to a page that is allowed
      return next();
    }
    c.res.headers.set('X-Request-Id', c.get('requestId'));
    return answer(c, next);
  };
}
