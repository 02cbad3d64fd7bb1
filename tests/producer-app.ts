import { expect, onTestFinished } from 'vitest';
import type { Database } from '../database/connect.ts';
import { type Claim, claimEvents } from '../database/events/claim.ts';
import { failEvents, fillEvents } from '../database/events/settle.ts';
import { createProducer, type ProducerOptions } from '../producer/producer.ts';

const LEASE_MS = 30_000;

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
export async function claimAll(db: Database): Promise<Claim[]> {
  return (await claimEvents(db, { claimedBy: 'test/1', limit: 10_000, leaseMs: LEASE_MS })).claims;
}

/** pending -> filled, for all events. */
export async function fillAll(db: Database, valor: string): Promise<void> {
  const fills = (await claimAll(db)).map((claim) => ({ ...claim, valor }));
  await fillEvents(db, { claimedBy: 'test/1', fills });
}

/** pending -> dead, for all events. */
export async function killAll(db: Database): Promise<void> {
  const failures = (await claimAll(db)).map((claim) => ({ ...claim, reason: 'sem palavra' }));
  await failEvents(db, { claimedBy: 'test/1', failures, retry: { maxAttempts: 1, firstDelayMs: 1, maxDelayMs: 1 } });
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
