import pRetry, { AbortError } from 'p-retry';
import { dropBody, RefusedBodyError, readBoundedBody } from './bounded-body.ts';
import type { BatchDefinition } from './definition.ts';
import { SourceDownError } from './handler.ts';
import { TIMER_LIMIT_MS } from './limits.ts';
import { reasonOf } from './reason-of.ts';
import { retryAfterMs } from './retry-after.ts';

export interface WordHandlerOptions {
  /** Asked with `?language=pt-br&words=N`; answers `[{"word":"…"}, …]`. */
  url: string;
  /** Time limit of one call, headers and body together. @default 5_000 */
  attemptMs?: number;
  /** How often a call is repeated after a transient failure. @default 3 */
  retries?: number;
  /** Time limit of one batch with all its retries; it may be longer than the lease. @default what its calls may take */
  totalMs?: number;
}

const BYTES_PER_WORD = 4_096;
const LONGEST_PAUSE_MS = 60_000;

/**
 * The handler of the kind `word`, which asks a word service. The service is not trusted: nothing but words gets through,
 * and no answer can take long or be large.
 *
 * @example defineHandlers({ word: createWordHandler({ url: 'http://127.0.0.1:3900/api' }) });
 */
export function createWordHandler(options: WordHandlerOptions): BatchDefinition {
  const { url, attemptMs = 5_000, retries = 3, totalMs = attemptMs * (retries + 1) } = options;
  return {
    batch: 1_000,
    // Its own limit comes first, since a service that hangs is no event's fault.
    timeoutMs: Math.min(totalMs + 1_000, TIMER_LIMIT_MS),
    async handleBatch(events, { signal }) {
      const deadline = AbortSignal.any([signal, AbortSignal.timeout(totalMs)]);
      const call = () => fetchWords(url, events.length, AbortSignal.any([deadline, AbortSignal.timeout(attemptMs)]));
      const words = await pRetry(call, {
        retries,
        minTimeout: 100,
        maxTimeout: 5_000,
        randomize: true,
        maxRetryTime: totalMs,
        signal: deadline,
        shouldRetry: ({ error }) => !(error instanceof SourceDownError || error instanceof RefusedBodyError),
      }).catch((cause: unknown) => {
        // A service that fails is no event's fault, whatever is wrong with it.
        throw cause instanceof SourceDownError ? cause : new SourceDownError(0, reasonOf(cause), { cause });
      });
      return words.slice(0, events.length).map(toWord);
    },
  };
}

async function fetchWords(url: string, count: number, signal: AbortSignal): Promise<unknown[]> {
  const address = new URL(url);
  address.searchParams.set('language', 'pt-br');
  address.searchParams.set('words', String(count));
  const response = await fetch(address, {
    signal,
    // A redirect may lead to an inside address.
    redirect: 'manual',
    headers: { Accept: 'application/json', 'Accept-Encoding': 'identity' },
  });
  try {
    checkStatus(response);
    const maxBytes = (count + 1) * BYTES_PER_WORD;
    return parseWords(await readBoundedBody(response, { maxBytes, sender: 'the word service' }));
  } finally {
    await dropBody(response);
  }
}

function checkStatus(response: Response): void {
  const { status } = response;
  const pauseMs = retryAfterMs(response, LONGEST_PAUSE_MS);
  const answer = `the word service answered ${status}`;
  if (pauseMs !== undefined && status >= 400) throw new SourceDownError(pauseMs, answer);
  if ([408, 425, 429].includes(status) || status >= 500) throw new Error(answer);
  if (status !== 200) throw new AbortError(answer); // the next call would get the same
}

function parseWords(text: string): unknown[] {
  const list: unknown = JSON.parse(text);
  if (!Array.isArray(list) || list.length === 0) throw new Error('the word service sent no list of words');
  return list.map((item: unknown) =>
    typeof item === 'object' && item !== null && 'word' in item ? item.word : undefined,
  );
}

const WORD = /^\p{L}\p{M}*(?:[-'’]?\p{L}\p{M}*)*$/u;
const LONGEST_WORD = 60;

/** One word in composed form, letters of any script joined by hyphens or apostrophes; anything else is an error. */
export function toWord(given: unknown): string | Error {
  // Decomposed, a letter takes up to four characters. More is not even looked at, so that no text keeps us busy.
  const word = typeof given === 'string' ? given.slice(0, LONGEST_WORD * 4 + 1).normalize('NFC') : '';
  if (word.length > LONGEST_WORD) return new Error('the word service sent a word that is too long');
  return WORD.test(word) ? word : new Error('the word service sent something that is not a word');
}
