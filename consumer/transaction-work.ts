import type { TransactionHandler } from '../handlers/handler.ts';
import { createCircuitBreaker } from './circuit-breaker.ts';
import { createKindWork, type KindWork, type KindWorkDeps } from './kind-work.ts';
import { runTransactionBatch } from './transaction-batch.ts';

// Others have locked all that is due, and may leave some of it.
const ALL_TAKEN_PAUSE_MS = 100;

/**
 * The work on a kind of the style `inTransaction`: many events in one transaction, in which nothing is marked. A process that
 * starts, or has lost one, takes events alone and marks them, then few at a time: docs/design.md, "Poison".
 */
export function createTransactionWork(handler: TransactionHandler, deps: KindWorkDeps): KindWork {
  const { report, wake } = deps;
  const { kind, concurrency, attempts: maxFailures } = handler;
  const breaker = createCircuitBreaker();
  const single = createKindWork(handler, deps, breaker);
  let carefulEvents = 1;
  /** Of the next transaction. It doubles, so that each process which an event takes down comes closer to that event. */
  let size = Math.min(2, handler.batch);
  let running = 0;
  let isBacklogged = false;
  /** The last transaction found all that is due locked by others. */
  let isAllTaken = false;
  let nextSince: string | undefined;

  const isCareful = () => carefulEvents > 0 || single.isBusy();

  async function run(since: string): Promise<void> {
    running++;
    try {
      const limit = size;
      const batch = await runTransactionBatch(deps, { ...handler, batch: limit }, since);
      size = Math.min(handler.batch, 2 * limit);
      nextSince = batch.nextSince;
      isBacklogged = batch.locked >= limit;
      isAllTaken = batch.locked === 0;
      if (batch.error !== undefined && breaker.open(batch.error)) report.handlerDown(kind, batch.error);
    } catch (error) {
      report.trouble(`a transaction of ${kind} was lost; its events come one at a time now`, error);
      carefulEvents = size;
      isBacklogged = true;
      isAllTaken = false;
    }
    running--;
    if (isAllTaken) setTimeout(wake, ALL_TAKEN_PAUSE_MS);
    else wake();
  }

  return {
    ...single,
    isBusy: () => running > 0 || single.isBusy(),
    wantsMore: () => isBacklogged && breaker.state() === 'closed' && running < concurrency,
    request() {
      const request = single.request();
      if (!request || breaker.state() === 'half-open') return request;
      if (isCareful()) return running > 0 || single.isBusy() ? undefined : { ...request, limit: 1 };
      // Perhaps by our own, which say when they are done.
      if (running > 0 && isAllTaken) return undefined;
      return running < concurrency ? { kind, limit: 0, maxFailures } : undefined;
    },
    begin(result, asked, claimedAt) {
      if (asked.limit > 0) {
        carefulEvents -= result.claims.length;
        isBacklogged = result.claims.length > 0;
        return single.begin(result, asked, claimedAt);
      }
      if (result.dueSince === undefined) {
        isBacklogged = false;
        return;
      }
      // What is due before may be locked by a batch of ours that is not committed yet, or have left its entries in the index.
      void run(nextSince !== undefined && running > 0 && nextSince > result.dueSince ? nextSince : result.dueSince);
    },
  };
}
