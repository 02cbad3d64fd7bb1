import { parseArgs } from 'node:util';
import type { z } from 'zod';
import { readEnvironment, readSettings } from '../process/settings.ts';
import { helpEntry, possible } from '../process/settings-help.ts';
import { localServerSettings } from '../start/mysql/config.ts';
import type { Example } from './example.ts';

const USAGE = 'Usage: npm run example -- NAME [--help]';

/** What `npm run example` is asked for: a list, the help of one, one of its commands, or to start it. */
export function readExampleArgs(args: string[], examples: ReadonlyMap<string, Example>) {
  const [name, ...rest] = args;
  if (name === undefined || name === '--help') return { list: listOf(examples) };
  const example = examples.get(name);
  if (!example) throw new Error(`there is no example ${name}; there are ${[...examples.keys()].join(', ')}`);
  const flag = { type: 'boolean' } as const;
  const commands = Object.keys(example.commands ?? {});
  const { values } = parseArgs({
    args: rest,
    options: { help: flag, ...Object.fromEntries(commands.map((command) => [command, flag])) },
  });
  if (values.help) return { list: helpOf(name, example) };
  const command = commands.find((one) => (values as Record<string, boolean | undefined>)[one]);
  const env = readEnvironment();
  const { DATA_DIRECTORY, MYSQL_PROGRAM } = readSettings({ ...localServerSettings, ...example.settings }, env);
  return { name, example, command, env, DATA_DIRECTORY, MYSQL_PROGRAM };
}

function listOf(examples: ReadonlyMap<string, Example>): string {
  const lines = [...examples].map(([name, { about }]) => `  ${name.padEnd(24)}${about}`);
  return `${USAGE}\n\nStarts a whole system on free ports, until Ctrl-C; its data stays in .data/examples/NAME.\n\n${lines.join('\n')}\n`;
}

function helpOf(name: string, { about, settings, commands = {} }: Example): string {
  const own = Object.entries(commands).map(([command, { why }]) => `  ${`--${command}`.padEnd(26)}${why}\n`);
  const usage = `${USAGE.replace('NAME', name)}\n\n${about}.\n${own.length > 0 ? `\n${own.join('')}` : ''}`;
  const entries = Object.entries({ ...settings, MYSQL_PROGRAM: localServerSettings.MYSQL_PROGRAM }).map(
    ([setting, type]) => helpEntry(setting, type as z.ZodType, possible(setting, type as z.ZodType)),
  );
  // Not lines of .env: those are the settings of the queue, and others are said to be ignored there.
  return `${usage}\nThe settings are environment variables:\n\n${entries.join('\n')}\n`;
}
