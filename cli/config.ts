import { parseArgs } from 'node:util';
import { databaseSettings } from '../database/config.ts';
import type { LogSearch } from '../database/events/log.ts';
import { readEnvironment, readSettings } from '../process/settings.ts';

/** What an operator asks for. */
export type Command =
  | { name: 'help' }
  | { name: 'dead'; limit: number; after: number }
  | { name: 'show'; id: number }
  | { name: 'outbox'; limit: number }
  | ({ name: 'log' } & LogSearch)
  | { name: 'revive'; ids: number[]; outOfOrder: boolean }
  | { name: 'revive all'; outOfOrder: boolean };

export const HELP = `Usage: npm run events -- dead [--limit N] [--after ID] | show ID
       npm run events -- revive ID… [--out-of-order] | revive --all [--out-of-order] | outbox [--limit N]
       npm run events -- log [ID] [--key KEY] [--limit N] [--before LINE]

  dead          Lists the dead events in the order of their ids: 100 of them, or N, from the first one after ID
  show          Shows everything about one event
  revive        Makes dead events pending again; each gets all its attempts anew. One of which a later event of the same key
                is filled or deleted is left out, unless --out-of-order is given
  outbox        Counts the rows of the outbox, and lists those of which no event can be made: 100 of them, or N
  log           Says how attempts ended, the last 100 or N, or those before a line: of one event, of the events that a
                handler's logKey finds by KEY, or of all
  --json        For programs: a line of JSON for each event or attempt, or one with the number of revived events
  --help        This text

The database is that of DATABASE_URL. The account of a consumer may not revive events; that of a producer may.
`;

const FLAG = { type: 'boolean' } as const;
const TEXT = { type: 'string' } as const;
const OPTIONS = { limit: TEXT, after: TEXT, before: TEXT, key: TEXT, all: FLAG, 'out-of-order': FLAG };

/** Throws a sentence about what cannot be understood. */
export function readOperatorConfig(args: string[], env: Record<string, string | undefined> = readEnvironment()) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { ...OPTIONS, json: FLAG, help: FLAG },
  });
  const { help, json = false, ...options } = values;
  return {
    ...readSettings(databaseSettings, env),
    command: help ? ({ name: 'help' } as const) : readCommand(positionals, options),
    json,
  };
}

type Options = { [Name in keyof typeof OPTIONS]?: (typeof OPTIONS)[Name] extends typeof FLAG ? boolean : string };

interface CommandForm {
  options: readonly (keyof Options)[];
  /** Undefined for words that do not belong to it. */
  read: (words: readonly string[], options: Options) => Command | undefined;
}

const COMMANDS = new Map<string, CommandForm>([
  [
    'dead',
    {
      options: ['limit', 'after'],
      read: ({ length }, { limit = '100', after = '0' }) =>
        length > 0
          ? undefined
          : { name: 'dead', limit: toNumber(limit, '--limit'), after: toNumber(after, '--after', 0) },
    },
  ],
  ['show', { options: [], read: (words) => (words.length === 1 ? { name: 'show', id: toId(words[0]!) } : undefined) }],
  [
    'revive',
    {
      options: ['all', 'out-of-order'],
      read: (words, { all = false, 'out-of-order': outOfOrder = false }) => {
        if (all === words.length > 0) return undefined;
        return all ? { name: 'revive all', outOfOrder } : { name: 'revive', ids: words.map(toId), outOfOrder };
      },
    },
  ],
  [
    'outbox',
    {
      options: ['limit'],
      read: ({ length }, { limit = '100' }) =>
        length > 0 ? undefined : { name: 'outbox', limit: toNumber(limit, '--limit') },
    },
  ],
  [
    'log',
    {
      options: ['key', 'limit', 'before'],
      read: ([id, ...others], { key, limit = '100', before }) => {
        if (others.length > 0) return undefined;
        return {
          name: 'log',
          id: id === undefined ? undefined : toId(id),
          key,
          limit: toNumber(limit, '--limit'),
          before: before === undefined ? undefined : toNumber(before, '--before'),
        };
      },
    },
  ],
]);

function readCommand([name = '', ...words]: string[], options: Options): Command {
  const form = COMMANDS.get(name);
  const stray = form && Object.keys(options).find((option) => !form.options.includes(option as keyof Options));
  if (stray !== undefined) throw new Error(`--${stray} does not belong to ${name}; see --help`);
  const command = form?.read(words, options);
  if (command) return command;
  throw new Error('expected one of: dead, show ID, revive ID…, revive --all, outbox, log [ID]; see --help');
}

const toId = (text: string) => toNumber(text, 'an id');

/** Ids are matched as text, so that no digit is rounded away. */
function toNumber(text: string, what: string, least = 1): number {
  const number = /^(0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : NaN;
  if (Number.isSafeInteger(number) && number >= least) return number;
  throw new Error(`${JSON.stringify(text)}: expected ${what}, a whole number of ${least} or more in plain digits`);
}
