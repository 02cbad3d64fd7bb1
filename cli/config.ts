import { parseArgs } from 'node:util';
import { databaseSettings } from '../database/config.ts';
import { readEnvironment, readSettings } from '../process/settings.ts';

/** What an operator asks for. */
export type Command =
  | { name: 'help' }
  | { name: 'dead'; limit: number; after: number }
  | { name: 'show'; id: number }
  | { name: 'outbox'; limit: number }
  | { name: 'revive'; ids: number[]; outOfOrder: boolean }
  | { name: 'revive all'; outOfOrder: boolean };

export const HELP = `Usage: npm run events -- dead [--limit N] [--after ID] | show ID
       npm run events -- revive ID… [--out-of-order] | revive --all [--out-of-order] | outbox [--limit N]

  dead          Lists the dead events in the order of their ids: 100 of them, or N, from the first one after ID
  show          Shows everything about one event
  revive        Makes dead events pending again; each gets all its attempts anew. One of which a later event of the same key
                is filled or deleted is left out, unless --out-of-order is given
  outbox        Counts the rows of the outbox, and lists those of which no event can be made: 100 of them, or N
  --json        For programs: a line of JSON for each event, or one with the number of revived events
  --help        This text

The database is that of DATABASE_URL. The account of a consumer may not revive events; that of a producer may.
`;

/** Throws a sentence about what cannot be understood. */
export function readOperatorConfig(args: string[], env: Record<string, string | undefined> = readEnvironment()) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      limit: { type: 'string' },
      after: { type: 'string' },
      all: { type: 'boolean' },
      'out-of-order': { type: 'boolean' },
      json: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  });
  return {
    ...readSettings(databaseSettings, env),
    command: values.help ? ({ name: 'help' } as const) : readCommand(positionals, values),
    json: values.json ?? false,
  };
}

interface Options {
  limit?: string;
  after?: string;
  all?: boolean;
  'out-of-order'?: boolean;
}

function readCommand(
  [name, ...words]: string[],
  { limit, after, all, 'out-of-order': outOfOrder = false }: Options,
): Command {
  if (name === 'revive' && limit === undefined && after === undefined) {
    if (all && words.length === 0) return { name: 'revive all', outOfOrder };
    if (!all && words.length > 0) return { name, ids: words.map((word) => toNumber(word, 'an id')), outOfOrder };
  }
  if (outOfOrder) throw new Error('--out-of-order belongs to revive; see --help');
  const isPaged = limit !== undefined || after !== undefined;
  if (name === 'dead' && words.length === 0 && !all) {
    return { name, limit: toNumber(limit ?? '100', '--limit'), after: toNumber(after ?? '0', '--after', 0) };
  }
  if (name === 'outbox' && words.length === 0 && !all && after === undefined) {
    return { name, limit: toNumber(limit ?? '100', '--limit') };
  }
  if (isPaged) throw new Error('--limit and --after belong to dead, and --limit to outbox; see --help');
  if (name === 'show' && words.length === 1 && !all) return { name, id: toNumber(words[0]!, 'an id') };
  throw new Error('expected one of: dead, show ID, revive ID…, revive --all, outbox; see --help');
}

/** Ids are matched as text, so that no digit is rounded away. */
function toNumber(text: string, what: string, least = 1): number {
  const number = /^(0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : NaN;
  if (Number.isSafeInteger(number) && number >= least) return number;
  throw new Error(`${JSON.stringify(text)}: expected ${what}, a whole number of ${least} or more in plain digits`);
}
