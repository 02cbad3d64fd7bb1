import { existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';

/** What `--help` and the README say of a setting. */
export interface SettingMeta {
  accepts: string;
  fallback: string;
  why: string;
  /** May be given as a file instead, named in NAME_FILE; and is not repeated in messages. */
  secret?: boolean;
}

const documented = <S extends z.ZodType>(
  schema: S,
  accepts: string,
  fallback: string | number | boolean,
  why: string,
): S => schema.meta({ accepts, fallback: String(fallback), why } satisfies SettingMeta);

/** Written in plain digits: `1e3`, `0x10` and an empty string are not numbers here. */
export function wholeNumber(min: number, max: number, fallback: number, why: string) {
  const accepts = `whole number, ${min} to ${max}`;
  const schema = z
    .string()
    .regex(/^[0-9]{1,15}$/, accepts)
    .transform(Number)
    .pipe(z.int().min(min, accepts).max(max, accepts))
    .default(fallback);
  return documented(schema, accepts, fallback, why);
}

export const port = (fallback: number, why: string, min = 1) => wholeNumber(min, 65_535, fallback, why);
export const milliseconds = (min: number, fallback: number, why: string, max = 86_400_000) =>
  wholeNumber(min, max, fallback, why);

export function oneOf<const T extends readonly [string, ...string[]]>(values: T, fallback: T[number], why: string) {
  const accepts = values.join(', ');
  return documented(z.enum(values, accepts).default(fallback as z.util.NoUndefined<T[number]>), accepts, fallback, why);
}

export function url(protocol: RegExp, example: string, fallback: string, why: string) {
  const accepts = `URL such as ${example}`;
  return documented(z.url({ protocol, error: accepts }).default(fallback), accepts, fallback, why);
}

/** Marks a setting as a secret. */
export function secret<S extends z.ZodType>(setting: S): S {
  return setting.meta({ ...setting.meta(), secret: true });
}

/** `shown`: what the documents call the default, where it is not the same everywhere. */
export function text(pattern: RegExp, accepts: string, fallback: string, why: string, shown = fallback) {
  return documented(z.string().regex(pattern, accepts).default(fallback), accepts, shown, why);
}

/** Several values with commas between, or line breaks as in a file; none by default. */
export function list(isValid: (value: string) => boolean, accepts: string, why: string) {
  const schema = z
    .string()
    .transform((values) => values.split(/[\s,]+/).filter(Boolean))
    // A setting that is given but says nothing is no reason to ask for no token.
    .refine((values) => values.length > 0 && values.every(isValid), accepts)
    .default([]);
  return documented(schema, accepts, '', why);
}

/** Off, unless set to true, 1, yes or on; in a terminal an option without a value. */
export function flag(why: string) {
  return documented(z.stringbool('true or false').default(false), 'true or false', false, why);
}

/** The environment, with what a file `.env` in this folder adds to it. */
export function readEnvironment(): Record<string, string | undefined> {
  if (existsSync('.env')) process.loadEnvFile('.env');
  return process.env;
}

/** The variable that may name a file with this setting in it; undefined unless the setting is a secret. */
export function fileVariable(name: string, setting: z.ZodType): string | undefined {
  return (setting.meta() as Partial<SettingMeta> | undefined)?.secret ? `${name}_FILE` : undefined;
}

/**
 * Checks what a process was given against its settings, all at once: every problem ends up in one message that names
 * the variable, the value and what would be accepted. An empty variable counts as not set. A secret may come from a
 * file, as container engines hand them over: DATABASE_URL_FILE=/run/secrets/producer-url.
 */
export function readSettings<S extends z.ZodRawShape>(
  settings: S,
  given: Record<string, string | undefined>,
): z.infer<z.ZodObject<S>> {
  const values: Record<string, string> = {};
  const problems: string[] = [];
  for (const [name, setting] of Object.entries(settings)) {
    const fileName = fileVariable(name, setting as z.ZodType);
    const path = fileName && given[fileName];
    if (path && given[name]) {
      problems.push(`  ${name} and ${fileName} are both given: expected one of them`);
    } else if (path) {
      const content = readSecret(path);
      if (typeof content === 'string') values[name] = content;
      else
        problems.push(`  ${fileName}=${JSON.stringify(path)}: expected a file that can be read (${content.problem})`);
    } else if (given[name]) {
      values[name] = given[name];
    }
  }
  const checked = z.object(settings).safeParse(values);
  for (const { path, message } of checked.error?.issues ?? []) {
    const name = String(path[0]);
    const shown = fileVariable(name, settings[name] as z.ZodType) ? withoutSecret(values[name]) : values[name];
    problems.push(`  ${name}=${JSON.stringify(shown)}: expected ${message}`);
  }
  if (checked.success && problems.length === 0) return checked.data;
  throw new Error(`These settings can't be used:\n${problems.join('\n')}`);
}

/** Without the line break that editors put at the end. An empty file is a problem, for it was meant to say something. */
function readSecret(path: string): string | { problem: string } {
  try {
    return readFileSync(path, 'utf8').trim() || { problem: 'it is empty' };
  } catch (error) {
    return { problem: (error as NodeJS.ErrnoException).code ?? String(error) };
  }
}

/** Of a URL all but the password; of anything else nothing: it may be a secret at the wrong place. */
function withoutSecret(value: string | undefined): string | undefined {
  return value?.includes('://') ? value.replace(/(:\/\/[^:/@]*:).*@/, '$1…@') : value && '…';
}
