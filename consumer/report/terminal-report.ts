import { styleText } from 'node:util';
import type { Fill } from '../../database/events/settle.ts';
import { messageOf, type Report } from './report.ts';

export interface TerminalReportOptions {
  quiet: boolean;
  verbose: boolean;
  write: (line: string) => void;
}

// Faster than this nobody reads along: then one line a second says how it goes.
const LINES_PER_SECOND = 10;

/** Lines for people: `14:03:07 #123 coração 41 ms` for each event, or one a second when there are many. */
export function createTerminalReport({ quiet, verbose, write }: TerminalReportOptions): Report {
  const say = (text: string) => write(`${styleText('dim', clock())} ${text}`);
  const sayLost = (lost: number) => say(styleText('yellow', `${lost} claims were lost: others have these events now`));
  const thinned = createThinner(say);

  return {
    filled(fills, lost, ms) {
      if (lost > 0) sayLost(lost);
      if (quiet) return;
      for (const fill of fills) {
        const line = `${styleText('cyan', `#${fill.id}`)} ${styleText('green', fill.valor)} ${styleText('dim', `${ms} ms`)}`;
        if (verbose) say(line);
        else thinned.add(fill, line);
      }
    },
    failed: (failures, lost) => {
      if (lost > 0) sayLost(lost);
      for (const { id, attempt, reason } of failures.slice(0, LINES_PER_SECOND)) {
        say(styleText('yellow', `#${id} attempt ${attempt} failed: ${reason}`));
      }
      const more = failures.length - LINES_PER_SECOND;
      if (more > 0) say(styleText('yellow', `… and ${more} more`));
    },
    released: (events, why) => say(styleText('dim', `${events} given back: ${why}`)),
    locked: (ids, ms) => {
      const names = ids.slice(0, LINES_PER_SECOND).map((id) => `#${id}`);
      const more = ids.length > names.length ? ` and ${ids.length - names.length} more` : '';
      say(
        styleText(
          'yellow',
          `another connection has kept ${names.join(', ')}${more} locked for ${Math.round(ms / 1_000)} s`,
        ),
      );
    },
    handlerDown: (kind, error) =>
      say(styleText('red', `${kind} handler down, nothing is claimed: ${messageOf(error)}`)),
    handlerBack: (kind) => say(styleText('green', `${kind} handler is back`)),
    databaseLost: (error) => say(styleText('red', `database lost, trying again: ${messageOf(error)}`)),
    databaseBack: () => say(styleText('green', 'database is back')),
    trouble: (what, error) => say(styleText('red', `${what}: ${messageOf(error)}`)),
    note: say,
    warn: (line) => say(styleText('yellow', line)),
    flush: async () => thinned.flush(),
  };
}

/** Passes up to ten lines a second; once there were more, only a summary at the end of each second, until it calms. */
function createThinner(say: (text: string) => void) {
  let count = 0;
  let unsaid = 0;
  let crowded = false;
  let newest: Fill | undefined;
  let secondEnds: NodeJS.Timeout | undefined;

  function flush(): void {
    clearTimeout(secondEnds);
    secondEnds = undefined;
    if (newest && unsaid > 0) {
      const events = count.toLocaleString('en');
      say(
        `${styleText('bold', events)} filled in a second, the newest ${styleText('cyan', `#${newest.id}`)} ${styleText('green', newest.valor)}`,
      );
    }
    crowded = count > LINES_PER_SECOND;
    count = 0;
    unsaid = 0;
  }

  return {
    add(fill: Fill, line: string) {
      secondEnds ??= setTimeout(flush, 1_000);
      count++;
      newest = fill;
      if (!crowded && count <= LINES_PER_SECOND) say(line);
      else unsaid++;
    },
    flush,
  };
}

function clock(): string {
  return new Date().toTimeString().slice(0, 8);
}
