import { styleText } from 'node:util';
import type { Fill } from '../../database/events/settle.ts';
import { messageOf, type Report } from './report.ts';

export interface TerminalReportOptions {
  /** No line for what goes well. */
  quiet: boolean;
  /** A line for each event, however many there are. */
  verbose: boolean;
  write: (line: string) => void;
}

// Nobody reads faster than this.
const LINES_PER_SECOND = 10;

/** Lines for people: `14:03:07 #123 coração 41 ms` for each event, or one a second when there are many. */
export function createTerminalReport({ quiet, verbose, write }: TerminalReportOptions): Report {
  const say = (text: string) => write(`${styleText('dim', new Date().toTimeString().slice(0, 8))} ${text}`);
  const sayGood = (text: string) => say(styleText('green', text));
  const sayBad = (text: string) => say(styleText('red', text));
  const warn = (text: string) => say(styleText('yellow', text));
  const sayLost = (lost: number) => lost > 0 && warn(`${lost} claims were lost: others have these events now`);
  const thinned = createThinner(say);

  return {
    filled(fills, lost, ms) {
      sayLost(lost);
      if (quiet) return;
      for (const fill of fills) {
        const line = `${valueOf(fill)} ${styleText('dim', `${ms} ms`)}`;
        if (verbose) say(line);
        else thinned.add(fill, line);
      }
    },
    failed: (failures, lost) => {
      sayLost(lost);
      for (const { id, attempt, reason } of failures.slice(0, LINES_PER_SECOND)) {
        warn(`#${id} attempt ${attempt} failed: ${reason}`);
      }
      if (failures.length > LINES_PER_SECOND) warn(`… and ${failures.length - LINES_PER_SECOND} more`);
    },
    released: (events, why) => say(styleText('dim', `${events} given back: ${why}`)),
    locked: (ids, ms) => {
      const named = ids.slice(0, LINES_PER_SECOND).map((id) => `#${id}`);
      const more = ids.length > named.length ? ` and ${ids.length - named.length} more` : '';
      warn(`another connection has kept ${named.join(', ')}${more} locked for at least ${Math.floor(ms / 1_000)} s`);
    },
    handlerDown: (kind, error) => sayBad(`${kind} handler down, nothing is claimed: ${messageOf(error)}`),
    handlerBack: (kind) => sayGood(`${kind} handler is back`),
    databaseLost: (error) => sayBad(`database lost, trying again: ${messageOf(error)}`),
    databaseBack: () => sayGood('database is back'),
    trouble: (what, error) => sayBad(`${what}: ${messageOf(error)}`),
    note: say,
    warn,
    flush: async () => thinned.flush(),
  };
}

/** Passes up to ten lines a second; after more than that, only a summary at the end of each second, until it calms. */
function createThinner(say: (text: string) => void) {
  let count = 0;
  let limit = LINES_PER_SECOND;
  let newest: Fill | undefined;
  let secondEnds: NodeJS.Timeout | undefined;

  function flush(): void {
    clearTimeout(secondEnds);
    secondEnds = undefined;
    if (newest && count > limit) {
      say(`${styleText('bold', count.toLocaleString('en'))} filled in a second, the newest ${valueOf(newest)}`);
    }
    limit = count > LINES_PER_SECOND ? 0 : LINES_PER_SECOND;
    count = 0;
  }

  return {
    add(fill: Fill, line: string) {
      secondEnds ??= setTimeout(flush, 1_000);
      newest = fill;
      if (++count <= limit) say(line);
    },
    flush,
  };
}

function valueOf({ id, valor }: Fill): string {
  return `${styleText('cyan', `#${id}`)} ${styleText('green', valor)}`;
}
