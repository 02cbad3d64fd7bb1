import * as fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { DatabaseError } from './database-error.ts';
import { createRetry } from './retry.ts';

/** Errors of the driver, by what may be concluded from them. */
const ERRORS = {
  'not applied': () => new DatabaseError(Object.assign(new Error('deadlock'), { errno: 1213 }), true),
  unavailable: () => new DatabaseError(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }), false),
  unknown: () => new DatabaseError(Object.assign(new Error('reset'), { code: 'ECONNRESET' }), true),
  permanent: () => new DatabaseError(Object.assign(new Error('syntax'), { errno: 1064, sqlState: '42000' }), true),
};
type Fault = keyof typeof ERRORS;

// Its own timers are none of those that are replaced below.
vi.mock('node:timers/promises', () => ({
  setTimeout: (ms: number, _: unknown, { signal }: { signal?: AbortSignal } = {}) =>
    new Promise<void>((resolve, reject) => {
      setTimeout(resolve, ms);
      signal?.addEventListener('abort', () => reject(signal.reason as Error));
    }),
}));
beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'setImmediate'] }));
afterEach(() => vi.useRealTimers());

// Longer than contact may be lost and back before that is said again.
const RETRY_MS = 20_000;
// Mostly no server at all, so that the deadline comes, too.
const fault = fc.oneof(
  { weight: 20, arbitrary: fc.constant<Fault>('unavailable') },
  { weight: 1, arbitrary: fc.constantFrom<Fault>('not applied', 'unknown', 'permanent') },
);
const faults = fc.array(fault, { maxLength: 60, size: 'max' });

/** How a statement ends whose tries fail like this, one after the other, and then succeed. */
async function play(failures: readonly Fault[]) {
  const availability: boolean[] = [];
  const withRetries = createRetry({ retryMs: RETRY_MS, onAvailability: (now) => availability.push(now) });
  const startedAt = performance.now();
  let tries = 0;
  const ended = withRetries(async () => {
    const fault = failures[tries++];
    if (fault) throw ERRORS[fault]();
    return 'done';
  }).catch((error: unknown) => error);
  await vi.runAllTimersAsync();
  return { outcome: await ended, tries, tookMs: performance.now() - startedAt, availability };
}

test('a statement is sent again only after what was certainly not applied, and never past its deadline', async () => {
  await fc.assert(
    fc.asyncProperty(faults, async (failures) => {
      const { outcome, tries, tookMs } = await play(failures);
      const sent = failures.slice(0, tries);
      expect(sent.slice(0, -1).filter((fault) => fault === 'unknown' || fault === 'permanent')).toEqual([]);
      if (outcome === 'done') expect(tries).toBe(failures.length + 1);
      else expect(outcome).toMatchObject({ fault: sent.at(-1) });
      expect(tookMs).toBeLessThanOrEqual(RETRY_MS);
    }),
  );
});

test('that contact is lost is said once, and that it is back only after that', async () => {
  await fc.assert(
    fc.asyncProperty(faults, async (failures) => {
      const { availability } = await play(failures);
      expect([[], [false], [false, true]]).toContainEqual(availability);
    }),
  );
});

test('where some statements get through and others do not, that is said once in five seconds', async () => {
  const availability: boolean[] = [];
  const withRetries = createRetry({ retryMs: RETRY_MS, onAvailability: (now) => availability.push(now) });
  const stumble = async () => {
    let tries = 0;
    const done = withRetries(async () => {
      if (tries++ === 0) throw ERRORS.unavailable();
    });
    await vi.runAllTimersAsync();
    await done;
  };
  for (let n = 0; n < 5; n++) await stumble();
  expect(availability).toEqual([false, true]);
  await vi.advanceTimersByTimeAsync(5_000);
  await stumble();
  expect(availability).toEqual([false, true, false, true]);
});

test('whoever is told to stop waits no longer for a server that cannot be reached', async () => {
  const stop = new AbortController();
  const withRetries = createRetry({ retryMs: RETRY_MS, signal: stop.signal });
  let tries = 0;
  const failed = expect(
    withRetries(async () => {
      if (++tries === 2) stop.abort();
      throw ERRORS.unavailable();
    }),
  ).rejects.toMatchObject({ fault: 'unavailable' });
  await vi.runAllTimersAsync();
  await failed;
  expect(tries).toBe(2);
});

test('what the server undid is sent again five times', async () => {
  const { outcome, tries } = await play(Array.from({ length: 10 }, () => 'not applied' as const));
  expect({ outcome, tries }).toMatchObject({ outcome: { fault: 'not applied' }, tries: 6 });
});
