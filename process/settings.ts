import { z } from 'zod';
import { readEnvFile } from './env-file.ts';
import { hideSecrets } from './hide-secrets.ts';
import { readText } from './read-text.ts';
import { fileVariable, metaOf } from './setting-kinds.ts';
import { SETTING_NAMES } from './setting-names.ts';

type Given = Record<string, string | undefined>;

/**
 * The environment, and what a file `.env` in this folder adds to it. Names that are no settings are said, once: a child
 * process finds them in its environment. `API_TOKEN` would leave the door open.
 */
export function readEnvironment(): Given {
  const added = Object.entries(readEnvFile('.env')).filter(([name]) => process.env[name] === undefined);
  for (const [name, value] of added) process.env[name] = value;
  const unknown = added.map(([name]) => name).filter((name) => !SETTING_NAMES.includes(name.replace(/_FILE$/, '')));
  if (unknown.length > 0) console.error(`.env: unknown settings, ignored: ${unknown.join(', ')}`);
  return process.env;
}

/**
 * Checks what a process was given. All problems are in one error: the variable, the value, what is accepted. An empty
 * variable counts as not set. A secret may be in a file: DATABASE_URL_FILE=/run/secrets/producer-url.
 */
export function readSettings<S extends z.ZodRawShape>(settings: S, given: Given): z.infer<z.ZodObject<S>> {
  const values: Record<string, string> = {};
  const problems: string[] = [];
  for (const [name, setting] of Object.entries(settings)) {
    const file = fileVariable(name, setting as z.ZodType);
    const { value, problem } = valueOf(name, file, given);
    if (value) values[name] = value;
    if (problem) problems.push(`  ${problem}`);
  }
  const checked = z.object(settings).safeParse(values);
  for (const { path, message } of checked.error?.issues ?? []) {
    const name = String(path[0]);
    problems.push(`  ${name}=${shown(settings[name] as z.ZodType, values[name]!)}: expected ${message}`);
  }
  if (checked.success && problems.length === 0) return checked.data;
  throw new Error(`These settings can't be used:\n${problems.join('\n')}`);
}

function valueOf(name: string, file: string | undefined, given: Given): { value?: string; problem?: string } {
  const path = file && given[file];
  if (!path) return { value: given[name] ?? '' };
  if (given[name]) return { problem: `${name} and ${file} are both given: expected one of them` };
  try {
    // Editors put a line break at the end. An empty file is a problem: it was meant to say something.
    const value = readText(path).trim();
    if (value) return { value };
    throw new Error('it is empty');
  } catch (error) {
    const why = (error as Error).message;
    return { problem: `${file}=${JSON.stringify(path)}: expected a file that can be read (${why})` };
  }
}

/** Of a secret URL only its scheme and what follows an @: without one a # may have cut it off in the password. */
function shown(setting: z.ZodType, value: string): string {
  const [scheme] = /^\w+:\/\//.exec(value) ?? [];
  if (!metaOf(setting).secret) return JSON.stringify(hideSecrets(value.replaceAll(/\s/g, ' ')));
  const host = scheme && /@[^@?#]*(?=[^@]*$)/.exec(value)?.[0];
  return JSON.stringify(`${scheme ?? ''}…${host ?? ''}`);
}
