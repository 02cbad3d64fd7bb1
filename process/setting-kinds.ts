import { isIP } from 'node:net';
import { z } from 'zod';
import { BLOCKED_PORTS } from './blocked-ports.ts';

/** What `--help` and the documents say of a setting. */
export interface SettingMeta {
  accepts: string;
  /** Empty where there is none. */
  default: string;
  why: string;
  /** May be given as a file instead, named in NAME_FILE; and is not repeated in messages. */
  secret?: boolean;
}

const documented = <S extends z.ZodType>(schema: S, meta: SettingMeta): S => schema.meta({ ...meta });

interface NumberOptions {
  /** @default 1 */
  min?: number;
  max: number;
  default: number;
  why: string;
  /** Numbers that are not accepted, and how the documents say it. @default none */
  except?: { numbers: ReadonlySet<number>; said: string };
}

const NOTHING = { numbers: new Set<number>(), said: '' };

/** Written in plain digits: `1e3`, `0x10` and an empty string are not numbers here. */
export function wholeNumber({ min = 1, max, default: preset, why, except = NOTHING }: NumberOptions) {
  const accepts = `whole number, ${min} to ${max}${except.said}`;
  const schema = z
    .string()
    .regex(/^[0-9]{1,15}$/, accepts)
    .transform(Number)
    .refine((number) => number >= min && number <= max && !except.numbers.has(number), accepts)
    .default(preset);
  return documented(schema, { accepts, default: String(preset), why });
}

export const port = (options: Omit<NumberOptions, 'max'>) => wholeNumber({ max: 65_535, ...options });

const BLOCKED = { numbers: BLOCKED_PORTS, said: ', except ports that browsers block' };

/** Of an HTTP server: fetch and browsers refuse to speak to some ports. */
export const httpPort = (options: Omit<NumberOptions, 'max'>) => port({ ...options, except: BLOCKED });

/** At most a day, unless `max` says otherwise. */
export const milliseconds = (options: Omit<NumberOptions, 'max'> & { max?: number }) =>
  wholeNumber({ max: 86_400_000, ...options });

/** Different ones, with commas between. */
export function httpPorts({ default: preset, why }: { default: readonly number[]; why: string }) {
  const accepts = 'different ports with commas between, except ports that browsers block';
  const schema = z
    .string()
    .regex(/^\d{1,5}(,\d{1,5})*$/, accepts)
    .transform((ports) => ports.split(',').map(Number))
    .refine((ports) => new Set(ports).size === ports.length, accepts)
    .refine((ports) => ports.every((number) => number > 0 && number < 65_536 && !BLOCKED_PORTS.has(number)), accepts)
    .default([...preset]);
  return documented(schema, { accepts, default: preset.join(','), why });
}

interface OneOfOptions<T extends readonly [string, ...string[]]> {
  values: T;
  default: T[number];
  why: string;
}

export function oneOf<const T extends readonly [string, ...string[]]>(options: OneOfOptions<T>) {
  const { values, default: preset, why } = options;
  const accepts = values.join(', ');
  const schema = z.enum(values, accepts).default(preset as z.util.NoUndefined<T[number]>);
  return documented(schema, { accepts, default: preset, why });
}

interface UrlOptions {
  /** `http:`, with its colon. */
  protocols: readonly string[];
  default: string;
  why: string;
  /** A URL for each host, where a value may name several. @default the value itself */
  split?: (value: string) => string[];
  /** How the documents say what is accepted. @default `URL such as` the default */
  accepts?: string;
  /** What a URL, one of all of a value, must have that this one has not, if anything. @default nothing */
  lacks?: (url: URL, all: readonly URL[]) => string | undefined;
}

export function url(options: UrlOptions) {
  const { protocols, default: preset, why, split = (value) => [value], lacks = () => undefined } = options;
  const { accepts = `URL such as ${preset}` } = options;
  const parse = (value: string) => (/^\w+:\/\//.test(value) ? URL.parse(value) : null);
  const schema = z.string().superRefine((value, context) => {
    const urls = split(value).map(parse);
    const all = urls.filter((one): one is URL => one !== null && protocols.includes(one.protocol));
    const [expected] = all.length < urls.length ? [accepts] : all.flatMap((one) => lacks(one, all) ?? []);
    if (expected) context.addIssue(expected);
  });
  return documented(schema.default(preset), { accepts, default: preset, why });
}

interface TextOptions {
  pattern: RegExp;
  accepts: string;
  default: string;
  /** What the documents call the default, where it is not the same everywhere. @default the default itself */
  shown?: string;
  why: string;
}

export function text({ pattern, accepts, default: preset, shown = preset, why }: TextOptions) {
  return documented(z.string().regex(pattern, accepts).default(preset), { accepts, default: shown, why });
}

/** No name: conda, for one, sets HOST to that of a compiler's target. */
export function address({ default: preset, why }: { default: string; why: string }) {
  const accepts = 'IP address or localhost';
  const schema = z.string().refine((value) => isIP(value) > 0 || value === 'localhost', accepts);
  return documented(schema.default(preset), { accepts, default: preset, why });
}

interface ListOptions {
  isValid: (value: string) => boolean;
  accepts: string;
  why: string;
}

/** Several values with commas between, or line breaks as in a file; none by default. */
export function list({ isValid, accepts, why }: ListOptions) {
  const schema = z
    .string()
    .transform((values) => values.split(/[\s,]+/).filter(Boolean))
    // A setting that is given but says nothing is no reason to ask for no token.
    .refine((values) => values.length > 0 && values.every(isValid), accepts)
    .default([]);
  return documented(schema, { accepts, default: '', why });
}

/** Marks a setting as a secret. */
export function secret<S extends z.ZodType>(setting: S): S {
  return setting.meta({ ...setting.meta(), secret: true });
}

export function metaOf(setting: z.ZodType): SettingMeta {
  return setting.meta() as unknown as SettingMeta;
}

/** The variable that may name a file with this setting in it; undefined unless the setting is a secret. */
export function fileVariable(name: string, setting: z.ZodType): string | undefined {
  return metaOf(setting).secret ? `${name}_FILE` : undefined;
}
