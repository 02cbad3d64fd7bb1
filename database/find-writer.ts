import { setTimeout as sleep } from 'node:timers/promises';
import * as driver from './connection.ts';
import { classifyFault } from './database-error.ts';
import { hostName } from './database-url.ts';
import { whyNoWriter } from './writer-question.ts';

export interface FoundWriter {
  url: string;
  /** On which it said that it takes writes. */
  connection: driver.Connection;
}

// Two hosts that take writes have different events: nobody may be the first to answer and win.
const OBJECTION_MS = 100;

/**
 * Asks all hosts at once; `ask` resolves for one that takes writes, and has a time limit. Resolves to the only one that does,
 * or rejects with what each host answered. Once one has answered well, the others are waited for 100 ms more.
 */
export async function findWriter(
  urls: readonly string[],
  ask: (url: string) => Promise<driver.Connection>,
): Promise<FoundWriter> {
  const found: FoundWriter[] = [];
  const refusals = new Map<string, unknown>();
  const first = Promise.withResolvers<void>();
  let isDecided = false;
  const asked = urls.map(async (url) => {
    try {
      const connection = await ask(url);
      if (isDecided) return driver.cutConnection(connection);
      found.push({ url, connection });
      first.resolve();
    } catch (error) {
      refusals.set(url, error);
    }
  });
  await Promise.race([Promise.all(asked), first.promise.then(() => sleep(OBJECTION_MS))]);
  isDecided = true;
  const [writer, ...others] = found;
  if (writer && others.length === 0) return writer;
  for (const { connection } of found) driver.cutConnection(connection);
  throw writer ? severalWriters(found) : noWriter(new Map(urls.map((url) => [url, refusals.get(url)])));
}

/** Of hosts that take no writes, with the reason of each. */
export function noWriter(refusals: ReadonlyMap<string, unknown>): Error {
  const said = Array.from(refusals, ([url, error]) => `${hostName(url)} ${whyNoWriter(error) ?? failureOf(error)}`);
  const message = `no host takes writes: ${said.join('; ')}`;
  const errors = [...refusals.values()];
  // Where a host has let us in, the others may do so later. Else a login that is refused is worth no waiting.
  const hasLetIn = errors.some((error) => whyNoWriter(error) !== undefined);
  const permanent = hasLetIn ? undefined : errors.find((error) => classifyFault(error, false) === 'permanent');
  const { code, errno, sqlState } = (permanent ?? {}) as { code?: string; errno?: number; sqlState?: string };
  const more = permanent ? { code, errno, sqlState } : { code: 'NO_WRITER' };
  return Object.assign(new Error(message, { cause: errors[0] }), more);
}

function severalWriters(found: readonly FoundWriter[]): Error {
  const names = found.map(({ url }) => hostName(url)).join(' and ');
  const message = `${names} both take writes: set read_only on all but one, or name one host`;
  return Object.assign(new Error(message), { code: 'SEVERAL_WRITERS' });
}

/** Node's error for a name with several addresses has no message. */
function failureOf(error: unknown): string {
  const { message, code } = error as { message?: string; code?: string };
  return `failed: ${message || code}`;
}
