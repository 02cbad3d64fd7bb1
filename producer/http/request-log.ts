import { randomUUID } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import type { Logger } from 'pino';

export interface RequestVariables {
  Variables: { requestId: string };
}

export interface RequestLogDeps {
  log: Logger;
  /** Whether requests that went well have a line at the level info, too; else at debug. */
  logsAll: boolean;
  /** While it is true, answers close their connection: a kept one would hold up the end of the server (RFC 9112, 9.6). */
  isDraining: () => boolean;
}

/** Gives each request an id, its caller's or a new one, and logs a line with the answer; of probes only failed ones. */
export function logRequests({ log, logsAll, isDraining }: RequestLogDeps): MiddlewareHandler<RequestVariables> {
  return async (c, next) => {
    const startedAt = performance.now();
    const requestId = acceptRequestId(c.req.header('x-request-id'));
    c.set('requestId', requestId);
    await next();
    const { status } = c.res;
    const { method, path } = c.req;
    const isUsual = status < 400 && (!logsAll || path === '/livez' || path === '/readyz');
    if (!isUsual || log.isLevelEnabled('debug')) {
      const ms = Math.round((performance.now() - startedAt) * 10) / 10;
      log[isUsual ? 'debug' : 'info']({ requestId, method, path, status, ms });
    }
    if (isDraining()) c.header('Connection', 'close');
  };
}

/** A caller's id goes into logs and headers, so only a harmless one is accepted. */
function acceptRequestId(given: string | undefined): string {
  return given !== undefined && /^[\w.-]{1,64}$/.test(given) ? given : randomUUID();
}
