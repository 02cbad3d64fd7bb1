import { createJsonLog, flushLog } from '../../process/json-log.ts';
import { messageOf, type Report } from './report.ts';

const IDS_LIMIT = 100;

/** JSON lines: one for each batch, and one for whatever else happens. */
export function createJsonReport(level: string, consumer: string): Report {
  const log = createJsonLog(level, { part: 'consumer', consumer });
  return {
    filled: (fills, lost, ms) =>
      log.info({ filled: fills.length, lost, ms, first: fills[0]?.id, last: fills.at(-1)?.id }, 'filled'),
    failed: (failures, lost) =>
      log.warn(
        { failed: failures.length, lost, ids: failures.map(({ id }) => id), reason: failures[0]?.reason },
        'attempts failed',
      ),
    released: (events, why) => log.info({ released: events, why }, 'given back'),
    locked: (ids, ms) =>
      log.warn({ locked: ids.length, ms, ids: ids.slice(0, IDS_LIMIT) }, 'kept locked by another connection'),
    handlerDown: (handler, error) =>
      log.warn({ handler, reason: messageOf(error) }, 'handler down, nothing is claimed'),
    handlerBack: (handler) => log.info({ handler }, 'handler is back'),
    databaseLost: (error) => log.warn({ reason: messageOf(error) }, 'database lost, trying again'),
    databaseBack: () => log.info('database is back'),
    trouble: (what, error) => log.error({ err: error }, what),
    note: (line) => log.info(line),
    warn: (line) => log.warn(line),
    flush: () => flushLog(log),
  };
}
