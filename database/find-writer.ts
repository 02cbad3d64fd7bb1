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
// So long one that does not answer holds up the question to the others.
const ROUND_MS = 250;

/**
 * Asks all hosts at once. Resolves to the only one that takes writes, or rejects with what each answered. Whoever is in
 * `asking` from an earlier call is not asked again: its answer counts when it comes.
 */
export async function findWriter(
  urls: readonly string[],
  asking: Map<string, Promise<driver.Connection>>,
  ask: (url: string) => Promise<driver.Connection>,
): Promise<FoundWriter> {
  const found: FoundWriter[] = [];
  const refusals = new Map<string, unknown>(urls.map((url) => [url, NO_ANSWER]));
  const first = Promise.withResolvers<void>();
  let isDecided = false;
  const asked = urls.map(async (url) => {
    const answer = asking.get(url) ?? ask(url);
    asking.set(url, answer);
    try {
      const connection = await answer;
      if (isDecided) return;
      found.push({ url, connection });
      first.resolve();
    } catch (error) {
      if (isDecided) return;
      refusals.set(url, error);
    }
    asking.delete(url);
  });
  const objections = first.promise.then(() => sleep(OBJECTION_MS));
  await Promise.race([
    Promise.all(asked),
    objections,
    sleep(ROUND_MS).then(() => (found.length > 0 ? objections : undefined)),
  ]);
  isDecided = true;
  const [writer, ...others] = found;
  if (writer && others.length === 0) {
    cutAnswers(asking);
    return writer;
  }
  for (const { connection } of found) driver.cutConnection(connection);
  throw writer ? severalWriters(found) : noWriter(refusals);
}

/** Of those who have not answered yet, nobody wants to know any more. */
export function cutAnswers(asking: Map<string, Promise<driver.Connection>>): void {
  for (const answer of asking.values()) answer.then(driver.cutConnection, () => {});
  asking.clear();
}

const NO_ANSWER = Object.assign(new Error('no answer yet'), { code: 'ETIMEDOUT' });

/** Of hosts that take no writes, with the reason of each. */
export function noWriter(refusals: ReadonlyMap<string, unknown>): Error {
  const said = Array.from(refusals, ([url, error]) => `${hostName(url)} ${whyNoWriter(error) ?? failureOf(error)}`);
  const message = `no host takes writes: ${said.join('; ')}`;
  const errors = [...refusals.values()];
  // Where a host lets us in, or may do so, the others may follow. Else a login that is refused is worth no waiting.
  const mayLetIn = errors.some((error) => error === NO_ANSWER || whyNoWriter(error) !== undefined);
  const permanent = mayLetIn ? undefined : errors.find((error) => classifyFault(error, false) === 'permanent');
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
