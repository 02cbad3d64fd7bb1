import { expect, onTestFinished } from 'vitest';
import type { Database } from '../database/connect.ts';
import type { ClaimedEvent } from '../database/events/claim.ts';
import { fillEvents, giveBackEvents } from '../database/events/settle.ts';
import { createProducer, type ProducerOptions } from '../producer/producer.ts';
import { claimWords } from './claim-words.ts';

/** For tests: a producer, quiet and without a server, until the test is over (or the file: `afterAll`). */
export function startTestApp(
  db: Database,
  options: Partial<ProducerOptions> = {},
  atEnd: (stop: () => Promise<void>) => void = onTestFinished,
) {
  // A slow machine is no fault of a test.
  const producer = createProducer({ db, syncPollMs: 5, createWaitMs: 5_000, logsAll: true, ...options });
  const stop = new AbortController();
  const running = producer.run(stop.signal);
  atEnd(async () => {
    stop.abort();
    await running;
  });
  return producer;
}

/** Claims what is pending, as a consumer does. */
export async function claimAll(db: Database, kind = 'word'): Promise<ClaimedEvent[]> {
  return (await claimWords(db, { kind, claimedBy: 'test' })).claims;
}

/** pending -> filled, for all events of the kind. */
export async function fillAll(db: Database, valor: string, kind = 'word'): Promise<void> {
  const claims = (await claimAll(db, kind)).map((claim) => ({ ...claim, valor }));
  await fillEvents(db, { claimedBy: 'test', claims });
}

/** pending -> dead, for all events of the kind; `refusal`: the reason that its handler gives to whoever waits. */
export async function killAll(db: Database, kind = 'word', refusal?: string): Promise<void> {
  const claims = (await claimAll(db, kind)).map((claim) =>
    refusal === undefined
      ? { ...claim, outcome: 'failed' as const, reason: 'sem palavra', delayMs: undefined }
      : { ...claim, outcome: 'refused' as const, reason: refusal },
  );
  await giveBackEvents(db, { claimedBy: 'test', claims });
}

/** The problem document of an answer, which must be whole and bear the request id of the header. */
export async function problemOf(response: Response): Promise<Record<string, unknown>> {
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  const problem = (await response.json()) as Record<string, unknown>;
  expect(problem).toMatchObject({
    type: 'about:blank',
    title: expect.stringMatching(/^[A-Z][A-Za-z -]+$/),
    status: response.status,
    detail: expect.stringMatching(/^\w.*\.$/),
    requestId: expect.stringMatching(/^[\w.-]+$/),
  });
  expect(response.headers.get('x-request-id')).toBe(problem['requestId']);
  return problem;
}
