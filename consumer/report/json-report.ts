import { createJsonLog, flushLog } from '../../process/json-log.ts';
import { messageOf, type Report } from './report.ts';

/** JSON lines: one per batch, and one for whatever happens beside. What is logged during a write is the next one. */
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
    sourceDown: (error) => log.warn({ reason: messageOf(error) }, 'word service down, nothing is claimed'),
    sourceBack: () => log.info('word service is back'),
    databaseLost: (error) => log.warn({ reason: messageOf(error) }, 'database lost, trying again'),
    databaseBack: () => log.info('database is back'),
    trouble: (what, error) => log.error({ err: error }, what),
    note: (line) => log.info(line),
    warn: (line) => log.warn(line),
    flush: () => flushLog(log),
  };
}
