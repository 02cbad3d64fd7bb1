import { type Logger, pino } from 'pino';
import pretty from 'pino-pretty';
import { createJsonLog, isForPeople } from '../process/json-log.ts';

const base = { part: 'producer' };

/** A producer's log: JSON lines, or one short line a request for people in a terminal. */
export function createLog(config: { LOG_LEVEL: string; LOG_FORMAT: string }): Logger {
  return isForPeople(config)
    ? pino({ level: config.LOG_LEVEL, base }, forPeople())
    : createJsonLog(config.LOG_LEVEL, base);
}

function forPeople() {
  return pretty({
    translateTime: 'SYS:HH:MM:ss',
    customPrettifiers: { time: (time) => time as string },
    ignore: 'pid,hostname,part,level,requestId,method,path,status,ms',
    messageFormat: '{if method}{method} {path} {status} {ms} ms {end}{msg}',
  });
}
