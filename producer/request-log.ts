import { randomUUID } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import { type DestinationStream, type Logger, pino } from 'pino';
import pretty from 'pino-pretty';
import type { ProducerConfig } from './config.ts';

export interface RequestVariables {
  Variables: { requestId: string };
}

/** JSON lines, written some at a time off the event loop's path; in a terminal, one short line a request. */
export function createLogger({ LOG_LEVEL, LOG_FORMAT }: ProducerConfig): Logger {
  const isPretty = LOG_FORMAT === 'pretty' || (LOG_FORMAT === 'auto' && process.stdout.isTTY);
  return pino({ level: LOG_LEVEL, base: { part: 'producer' } }, isPretty ? forPeople() : forMachines());
}

function forMachines(): DestinationStream {
  return pino.destination({ sync: false, minLength: 65_536, maxWrite: 131_072, periodicFlush: 100 });
}

function forPeople(): DestinationStream {
  return pretty({
    translateTime: 'SYS:HH:MM:ss',
    customPrettifiers: { time: (time) => time as string },
    ignore: 'pid,hostname,part,level,requestId,method,path,status,ms',
    messageFormat: '{if method}{method} {path} {status} {ms} ms {end}{msg}',
  });
}

/**
 * Gives each request an id (nginx's, or a new one) and logs one line when it is answered; of probes that go well only
 * at the level debug. While `isDraining`, answers close their connection, which would hold up the closing of the server
 * (RFC 9112, 9.6).
 */
export function logRequests(log: Logger, isDraining: () => boolean): MiddlewareHandler<RequestVariables> {
  return async (c, next) => {
    const startedAt = performance.now();
    const requestId = acceptRequestId(c.req.header('x-request-id'));
    c.set('requestId', requestId);
    await next();
    const { method, path } = c.req;
    const ms = Math.round((performance.now() - startedAt) * 10) / 10;
    const { status } = c.res;
    const isProbe = status === 200 && (path === '/livez' || path === '/readyz');
    log[isProbe ? 'debug' : 'info']({ requestId, method, path, status, ms });
    if (isDraining()) c.header('Connection', 'close');
  };
}

/** A caller's id goes into logs and headers, so only a harmless one is taken over. */
function acceptRequestId(given: string | undefined): string {
  return given !== undefined && /^[\w.-]{1,64}$/.test(given) ? given : randomUUID();
}
