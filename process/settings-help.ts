import { parseArgs } from 'node:util';
import type { z } from 'zod';
import { fileVariable, metaOf } from './setting-kinds.ts';

/**
 * For a process that is set by environment variables alone: true if `args` ask for its help. Anything else in them is an
 * error, rather than a setting that is silently passed over.
 */
export function asksForHelp(args: string[]): boolean {
  try {
    return parseArgs({ args, options: { help: { type: 'boolean' } } }).values.help ?? false;
  } catch {
    throw new Error(`unknown option ${args.join(' ')}; the settings are environment variables, which --help lists`);
  }
}

/** What `--help` prints of such a process: `usage`, and every setting with what it accepts. */
export function environmentHelp(usage: string, settings: z.ZodRawShape): string {
  const entries = Object.entries(settings).map(([name, setting]) =>
    helpEntry(name, setting as z.ZodType, possible(name, setting as z.ZodType)),
  );
  return `${usage}
The settings are environment variables, or lines in a file .env in this folder:

${entries.join('\n')}
`;
}

/** A setting in a help text: its label and what it is for, and a line below. */
export function helpEntry(label: string, setting: z.ZodType, below: string): string {
  return `  ${label.padEnd(26)}${metaOf(setting).why}\n${' '.repeat(28)}${below}`;
}

/** What a setting accepts, its default, and the file that it may come from. */
export function possible(name: string, setting: z.ZodType): string {
  const { accepts, default: preset } = metaOf(setting);
  const file = fileVariable(name, setting);
  return [accepts, preset && `default ${preset}`, file && `or a file, named in ${file}`].filter(Boolean).join('; ');
}
