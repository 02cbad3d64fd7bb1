import { pino } from 'pino';
import { messageOf, type Report } from './report.ts';

/** JSON lines: one per batch, and one for whatever happens beside. What is logged during a write is the next one. */
export function createJsonReport(level: string, consumer: string): Report {
  const destination = pino.destination({ sync: false, minLength: 1 }); // with the default, 0, a flush would wait for nothing
  // At process.exit it would try without end to write to a pipe that nobody reads any more. main.ts flushes before it
  // unless there is no time for that.
  destination.flushSync = () => {};
  const log = pino({ level, base: { part: 'consumer', consumer } }, destination);
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
    // Twice: the first ends with a write that is under way, and what was logged meanwhile may be left.
    flush: async () => {
      for (let n = 0; n < 2; n++) await new Promise<void>((resolve) => log.flush(() => resolve()));
    },
  };
}
