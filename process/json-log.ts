import { type Bindings, type Logger, pino } from 'pino';
import { oneOf } from './setting-kinds.ts';

export const logSettings = {
  LOG_LEVEL: oneOf({
    values: ['trace', 'debug', 'info', 'warn', 'error', 'silent'],
    default: 'info',
    why: 'The least important JSON line that is written',
  }),
  LOG_FORMAT: oneOf({
    values: ['auto', 'json', 'pretty'],
    default: 'auto',
    why: 'auto: lines for people in a terminal, else JSON',
  }),
};

/** Whether the log is read by a person: LOG_FORMAT says so, or leaves it open and stdout is a terminal. */
export function isForPeople({ LOG_FORMAT }: { LOG_FORMAT: string }): boolean {
  return LOG_FORMAT === 'pretty' || (LOG_FORMAT === 'auto' && process.stdout.isTTY);
}

/** A log of JSON lines on stdout, each with the members of `base`. What is logged during a write is the next write. */
export function createJsonLog(level: string, base: Bindings): Logger {
  // With the default minLength, 0, a flush waits for nothing.
  const destination = pino.destination({ sync: false, minLength: 1 });
  // At process.exit it would try for ever to write to a pipe that nobody reads any more; call flushLog before.
  destination.flushSync = () => {};
  return pino({ level, base }, destination);
}

/** Resolves when everything logged so far is written, or nobody reads it any more. */
export async function flushLog(log: Logger): Promise<void> {
  // The first flush ends with a write that is under way, and what was logged meanwhile may be left.
  for (let n = 0; n < 2; n++) await new Promise<void>((resolve) => log.flush(() => resolve()));
}
