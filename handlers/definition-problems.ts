import { inspect } from 'node:util';
import { isSchema } from './check-payload.ts';
import type { LogMode } from './handler.ts';
import { DELAY_LIMIT_MS, KIND_PATTERN, TIMER_LIMIT_MS } from './limits.ts';

type Check = (value: unknown) => string | undefined;

const isFunction: Check = (value) => (typeof value === 'function' ? undefined : 'a function');

const wholeNumber =
  (min: number, max: number): Check =>
  (value) =>
    Number.isInteger(value) && (value as number) >= min && (value as number) <= max
      ? undefined
      : `a whole number from ${min.toLocaleString('en')} to ${max.toLocaleString('en')}`;

const LOG_MODES: readonly unknown[] = ['off', 'failures', 'all'] satisfies LogMode[];

const POLICY: Record<string, Check> = {
  attempts: wholeNumber(1, 1_000_000),
  retryDelayMs: (value) => isFunction(value) && wholeNumber(0, DELAY_LIMIT_MS)(value)?.concat(', or a function'),
  timeoutMs: wholeNumber(1, TIMER_LIMIT_MS),
  payload: (value) => (isSchema(value) ? undefined : 'a Standard Schema'),
  log: (value) => (LOG_MODES.includes(value) ? undefined : "'off', 'failures' or 'all'"),
  logKey: (value) => (typeof value === 'string' && value !== '' ? undefined : 'the name of a member of the payload'),
};

// The limit of a transaction is that of its process: TRANSACTION_MS.
const { timeoutMs: _, ...UNTIMED } = POLICY;

/** The options of each style, and what each accepts. */
const STYLES = {
  handle: { handle: isFunction, concurrency: wholeNumber(1, 10_000), ...POLICY },
  handleBatch: { handleBatch: isFunction, batch: wholeNumber(1, 10_000), concurrency: wholeNumber(1, 100), ...POLICY },
  inTransaction: {
    inTransaction: isFunction,
    batch: wholeNumber(1, 10_000),
    concurrency: wholeNumber(1, 10),
    ...UNTIMED,
  },
} satisfies Record<string, Record<string, Check>>;

const STYLE_NAMES = Object.keys(STYLES) as (keyof typeof STYLES)[];

/** What is wrong with the handler of a kind: a sentence for each fault. */
export function problemsOf(kind: string, definition: unknown): string[] {
  if (!KIND_PATTERN.test(kind)) {
    return [`${shown(kind)} cannot be a kind: expected a small letter, then at most 63 of a-z, 0-9, ".", "_" and "-".`];
  }
  if (typeof definition === 'function') return [];
  if (typeof definition !== 'object' || definition === null) return [lackOfHandler(kind)];
  const given = Object.entries(definition).filter(([, value]) => value !== undefined);
  const styles = STYLE_NAMES.filter((style) => given.some(([name]) => name === style));
  if (styles.length > 1) return [`The kind ${shown(kind)} has both ${styles.join(' and ')}: keep one of them.`];
  return styles.length === 0 ? [lackOfHandler(kind)] : optionProblems(kind, given, STYLES[styles[0]!]);
}

function lackOfHandler(kind: string): string {
  return `The kind ${shown(kind)} has no handler: expected a function, or an object with handle, handleBatch or inTransaction.`;
}

function optionProblems(kind: string, given: [string, unknown][], checks: Record<string, Check>): string[] {
  return given.flatMap(([name, value]) => {
    if (!Object.hasOwn(checks, name)) {
      const known = Object.keys(checks).join(', ');
      return [`The kind ${shown(kind)} has an unknown option ${shown(name)}: expected one of ${known}.`];
    }
    const expected = checks[name]!(value);
    return expected === undefined ? [] : [`The kind ${shown(kind)} has ${name} ${shown(value)}: expected ${expected}.`];
  });
}

function shown(value: unknown): string {
  return inspect(value, { depth: 0, breakLength: Infinity, maxStringLength: 80 });
}
