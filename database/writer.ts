import { setTimeout as sleep } from 'node:timers/promises';
import * as driver from './connection.ts';
import { classifyFault } from './database-error.ts';
import { hostName } from './database-url.ts';
import { cutAnswers, findWriter, noWriter } from './find-writer.ts';
import type { Server } from './server.ts';
import {
  askWriter,
  HAS_MAJORITY,
  isBeyondRights,
  READ_ONLY,
  TAKES_WRITES,
  type WriterQuestion,
  whyNoWriter,
} from './writer-question.ts';

export interface WriterOptions {
  /** One for each host. */
  urls: readonly string[];
  connectTimeoutMs: number;
}

// The writer is asked so often, and at once when something fails on a connection to it, but not more often than that.
const ASK_AGAIN_MS = 500;
const LEAST_PAUSE_MS = 50;
// While there is none, a group needs seconds to choose one.
const SEARCH_AGAIN_MS = 250;
const ANSWER_MS = 1_000;
// One that says that it is read-only answers what is under way, which may then be sent to the next.
const LAST_ANSWERS_MS = 1_000;

/**
 * Of several hosts the one that takes writes, asked twice a second from the first connection on. docs/design.md tells when
 * connections to it are used, kept and given up.
 */
export function followWriter({ urls, connectTimeoutMs }: WriterOptions): Server {
  const stop = new AbortController();
  /** Those of the writers of now and before, also in the making: where each leads, and how it is given up. */
  const uses = new Map<object, { url: string; giveUp: (why: string) => void }>();
  const asking = new Map<string, Promise<driver.Connection>>();
  let question: WriterQuestion = HAS_MAJORITY;
  let following: Promise<void> | undefined;
  /** The one that was found last. */
  let writer: string | undefined;
  let isTrusted = false;
  /** Whether the one before said that it is read-only. */
  let hasYielded = false;
  let next = newWait();
  let failure: Error = Object.assign(new Error('no host has answered yet'), { code: 'ETIMEDOUT' });
  let doubt = () => {};

  async function follow(): Promise<void> {
    while (!stop.signal.aborted) {
      try {
        const { url, connection } = await findWriter(urls, asking, askHost);
        trust(url);
        hasYielded = whyNoWriter(await watch(connection)) === READ_ONLY;
        isTrusted = false;
        next = newWait();
        driver.cutConnection(connection);
      } catch (error) {
        failure = error as Error;
        // No waiting mends it.
        if (classifyFault(error, false) === 'permanent') {
          next.reject(error);
          next = newWait();
        }
        await pause(SEARCH_AGAIN_MS);
      }
    }
    cutAnswers(asking);
  }

  function trust(url: string): void {
    const isAnother = url !== writer;
    writer = url;
    isTrusted = true;
    next.resolve(url);
    if (!isAnother) return;
    if (hasYielded) setTimeout(giveUpOthers, LAST_ANSWERS_MS).unref();
    else giveUpOthers();
  }

  function giveUpOthers(): void {
    const others = [...uses.values()].filter(({ url }) => url !== writer);
    for (const { giveUp } of others) giveUp(`${hostName(writer!)} takes the writes now`);
  }

  /** Resolves when the writer says that it is none, or does not answer, to its error. */
  async function watch(connection: driver.Connection): Promise<unknown> {
    while (!stop.signal.aborted) {
      const doubted = Promise.withResolvers<void>();
      doubt = doubted.resolve;
      await pause(LEAST_PAUSE_MS);
      await Promise.race([pause(ASK_AGAIN_MS - LEAST_PAUSE_MS), doubted.promise]);
      try {
        await driver.query(connection, askWriter(question), ANSWER_MS);
      } catch (error) {
        return error;
      }
    }
    return undefined;
  }

  const pause = (ms: number) => sleep(ms, undefined, { signal: stop.signal, ref: false }).catch(() => {});

  const askHost = (url: string) =>
    connect(url, { connectTimeoutMs: Math.min(connectTimeoutMs, ANSWER_MS), statementTimeoutMs: ANSWER_MS });

  async function connect(url: string, limits: Omit<driver.ConnectionOptions, 'url'>): Promise<driver.Connection> {
    const asked = question;
    try {
      return await driver.openConnection({ url, ...limits, question: asked });
    } catch (error) {
      if (asked === TAKES_WRITES || !isBeyondRights(error)) throw error;
      question = TAKES_WRITES;
      return driver.openConnection({ url, ...limits, question });
    }
  }

  /** Rejects after the time for a connection, with what each host answered last. */
  async function findNow(): Promise<string> {
    following ??= follow();
    if (writer !== undefined && isTrusted) return writer;
    const limit = Promise.withResolvers<never>();
    const timer = setTimeout(() => limit.reject(failure), connectTimeoutMs);
    try {
      return await Promise.race([next.promise, limit.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  async function open(statementTimeoutMs: number): Promise<driver.Connection> {
    const url = await findNow();
    const connecting = connect(url, { connectTimeoutMs, statementTimeoutMs });
    const making = Promise.withResolvers<driver.Connection>();
    connecting.then(making.resolve, making.reject);
    const giveUp = (why: string) => {
      making.reject(Object.assign(new Error(why), { code: 'GIVEN_UP' }));
      connecting.then(driver.cutConnection, () => {});
    };
    uses.set(making, { url, giveUp });
    try {
      const connection = await making.promise;
      uses.set(connection, { url, giveUp: (why) => driver.giveUpConnection(connection, why) });
      driver.onceClosed(connection, () => uses.delete(connection));
      return connection;
    } catch (error) {
      doubt();
      throw whyNoWriter(error) ? noWriter(new Map([[url, error]])) : error;
    } finally {
      uses.delete(making);
    }
  }

  return {
    open,
    hasEnded: (connection) => driver.hasEnded(connection) || !isTrusted || uses.get(connection)?.url !== writer,
    whyNotMade: () => (isTrusted ? undefined : failure),
    doubt: () => doubt(),
    end: () => {
      stop.abort();
      for (const { giveUp } of uses.values()) giveUp('the pool has ended');
    },
  };
}

function newWait(): PromiseWithResolvers<string> {
  const wait = Promise.withResolvers<string>();
  // Whoever waits for it hears of it; often nobody does.
  wait.promise.catch(() => {});
  return wait;
}
