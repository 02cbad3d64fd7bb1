import { randomUUID } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import { type DestinationStream, type Logger, pino } from 'pino';
import pretty from 'pino-pretty';
import { createJsonLog, isForPeople } from '../../process/json-log.ts';
import type { ProducerConfig } from '../config.ts';

export interface RequestVariables {
  Variables: { requestId: string };
}

/**
 * JSON lines, written off the event loop's path: what is logged during a write is the next one. In a terminal, one short
 * line a request.
 */
export function createLogger(config: ProducerConfig): Logger {
  const base = { part: 'producer' };
  return isForPeople(config)
    ? pino({ level: config.LOG_LEVEL, base }, forPeople())
    : createJsonLog(config.LOG_LEVEL, base);
}

/** Whether a request that went well has a line too. */
export function logsAllRequests(config: ProducerConfig): boolean {
  return config.LOG_REQUESTS === 'all' || (config.LOG_REQUESTS === 'auto' && isForPeople(config));
}

function forPeople(): DestinationStream {
  return pretty({
    translateTime: 'SYS:HH:MM:ss',
    customPrettifiers: { time: (time) => time as string },
    ignore: 'pid,hostname,part,level,requestId,method,path,status,ms',
    messageFormat: '{if method}{method} {path} {status} {ms} ms {end}{msg}',
  });
}

export interface RequestLogDeps {
  log: Logger;
  /** Whether requests that went well have a line at the level info, too; else at debug. */
  logsAll: boolean;
  /** While it is true, answers close their connection, which would hold up the closing of the server (RFC 9112, 9.6). */
  isDraining: () => boolean;
}

/** Gives each request an id (nginx's, or a new one) and logs a line when it is answered; of probes only failed ones. */
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

/** A caller's id goes into logs and headers, so only a harmless one is taken over. */
function acceptRequestId(given: string | undefined): string {
  return given !== undefined && /^[\w.-]{1,64}$/.test(given) ? given : randomUUID();
}
