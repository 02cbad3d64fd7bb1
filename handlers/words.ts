import pRetry, { AbortError } from 'p-retry';
import { type BatchHandler, type Outcome, SourceDownError } from './handler.ts';

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
 */
export function createWordHandler(options: WordHandlerOptions): BatchHandler {
  const { url, attemptMs = 5_000, retries = 3, totalMs = attemptMs * (retries + 1) } = options;
  return {
    kind: 'word',
    async handleBatch(events, signal) {
      // Without events, one word shows whether the service works.
      const count = Math.max(events.length, 1);
      const deadline = AbortSignal.any([signal, AbortSignal.timeout(totalMs)]);
      const call = () => fetchWords(url, count, AbortSignal.any([deadline, AbortSignal.timeout(attemptMs)]));
      const words = await pRetry(call, {
        retries,
        minTimeout: 100,
        maxTimeout: 5_000,
        randomize: true,
        maxRetryTime: totalMs,
        signal: deadline,
        shouldRetry: ({ error }) => !(error instanceof SourceDownError),
      });
      return words.slice(0, events.length).map(toOutcome);
    },
  };
}

async function fetchWords(url: string, count: number, signal: AbortSignal): Promise<unknown[]> {
  const address = new URL(url);
  address.searchParams.set('language', 'pt-br');
  address.searchParams.set('words', String(count));
  const response = await fetch(address, {
    signal,
    // A redirect may lead to an inside address, and a small compressed answer may unpack to a very large one.
    redirect: 'manual',
    headers: { Accept: 'application/json', 'Accept-Encoding': 'identity' },
  });
  try {
    checkAnswer(response);
    const text = await readText(response, (count + 1) * BYTES_PER_WORD);
    return parseWords(text);
  } finally {
    if (!response.bodyUsed) await response.body?.cancel();
  }
}

function checkAnswer(response: Response): void {
  const { status, headers } = response;
  const pauseMs = retryAfterMs(headers.get('retry-after'));
  const answer = `the word service answered ${status}`;
  if (pauseMs !== undefined && status >= 400) throw new SourceDownError(pauseMs, answer);
  if ([408, 425, 429].includes(status) || status >= 500) throw new Error(answer);
  if (status !== 200) throw new AbortError(answer); // the next call would get the same
  if (!['identity', null].includes(headers.get('content-encoding'))) {
    throw new AbortError('the word service sent a compressed answer');
  }
}

/** Retry-After in seconds or as a date (RFC 9110, 10.2.3). */
function retryAfterMs(header: string | null): number | undefined {
  if (header === null) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), LONGEST_PAUSE_MS);
}

async function readText(response: Response, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw new AbortError(`the word service sent more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch (cause) {
    throw new Error('the word service sent broken UTF-8', { cause });
  }
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

/** One word in composed form, letters of any script joined by hyphens or apostrophes; anything else is a failure. */
export function toOutcome(given: unknown): Outcome {
  // Decomposed, a letter takes up to four characters. More is not even looked at, so that no text keeps us busy.
  const word = typeof given === 'string' ? given.slice(0, LONGEST_WORD * 4 + 1).normalize('NFC') : '';
  if (word.length > LONGEST_WORD) return { failure: 'the word service sent a word that is too long' };
  return WORD.test(word) ? { valor: word } : { failure: 'the word service sent something that is not a word' };
}
