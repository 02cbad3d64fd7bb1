import { isDeadlock } from '../database/database-error.ts';
import type { KindRequest } from '../database/events/claim.ts';
import { TransactionLostError } from '../database/transaction-session.ts';
import { transactionsFor } from '../database/transactions.ts';
import type { TransactionHandler } from '../handlers/handler.ts';
import { createCircuitBreaker } from './circuit-breaker.ts';
import { createKindWork, type KindWork, type KindWorkDeps } from './kind-work.ts';
import { runTransactionBatch } from './transaction-batch.ts';

// A claim finds what a dead consumer held, and what must run alone.
const CLAIM_EVERY_MS = 1_000;
// What is locked may be left, and what comes meanwhile is not. The pause doubles until something is found.
const SHORTEST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 100;

/**
 * The work on a kind of the style `inTransaction`: many events in one transaction, in which nothing is marked. A process that
 * starts, or has lost one, takes events alone and marks them, then few at a time: docs/design.md, "Poison".
 */
export function createTransactionWork(handler: TransactionHandler, deps: KindWorkDeps): KindWork {
  const { report, wake } = deps;
  const { kind, concurrency } = handler;
  const breaker = createCircuitBreaker();
  const single = createKindWork(handler, deps, breaker);
  let carefulEvents = 1;
  /** Of the next transaction. It doubles, so that each process which an event takes down comes closer to that event. */
  let size = Math.min(2, handler.batch);
  let running = 0;
  let isBacklogged = false;
  /** All that is due was locked, by others or by our own. */
  let isAllTaken = false;
  let lockedPauseMs = SHORTEST_PAUSE_MS;
  /** When the server undid a transaction. */
  let undoneAt = -Infinity;
  /** Events were created here since the last claim or transaction. */
  let isExpecting = false;
  let lastClaim = { since: '', at: -Infinity };

  const isCareful = () => carefulEvents > 0 || single.isBusy();

  /** `isDue`: a claim has just said that something is. */
  async function run(since: string, isDue: boolean): Promise<void> {
    const limit = size;
    running++;
    isExpecting = false;
    try {
      const { locked, error } = await runTransactionBatch(deps, { ...handler, batch: limit }, since);
      size = Math.min(handler.batch, 2 * limit);
      isBacklogged = locked >= limit;
      isAllTaken = isDue && locked === 0;
      if (locked > 0) lockedPauseMs = SHORTEST_PAUSE_MS;
      if (error !== undefined && breaker.open(error)) report.handlerDown(kind, error);
    } catch (error) {
      isBacklogged = true;
      if (!mayRepeat(error)) {
        report.trouble(`a transaction of ${kind} was lost; its events come one at a time now`, error);
        carefulEvents = limit;
      }
    }
    running--;
    if (!isAllTaken) return lookAgain();
    setTimeout(lookAgain, lockedPauseMs);
    lockedPauseMs = Math.min(LONGEST_PAUSE_MS, 2 * lockedPauseMs);
  }

  /** Nobody is to blame for one deadlock. For a second, before what the first undid was surely repeated, an event may be. */
  function mayRepeat(error: unknown): boolean {
    if (!(error instanceof TransactionLostError && isDeadlock(error.cause))) return false;
    const before = undoneAt;
    undoneAt = performance.now();
    return undoneAt - before > 2 * transactionsFor(deps.db).limitMs;
  }

  function lookAgain(): void {
    isAllTaken = false;
    wake();
  }

  function request(): KindRequest | undefined {
    const one = single.request();
    if (!one || breaker.state() === 'half-open') return one;
    if (isCareful()) return running > 0 || single.isBusy() ? undefined : { ...one, limit: 1 };
    return running < concurrency && !isAllTaken ? { ...one, limit: 0 } : undefined;
  }

  return {
    ...single,
    request,
    isBusy: () => running > 0 || single.isBusy(),
    wantsMore: () => isBacklogged && breaker.state() === 'closed' && request() !== undefined,
    expect() {
      isExpecting = true;
    },
    beginUnasked() {
      if (!isExpecting || performance.now() - lastClaim.at > CLAIM_EVERY_MS || request()?.limit !== 0) return false;
      void run(lastClaim.since, false);
      return true;
    },
    begin(result, asked, claimedAt) {
      lastClaim = { since: result.nextSince, at: claimedAt };
      isExpecting = false;
      if (asked.limit > 0) {
        carefulEvents -= result.claims.length;
        isBacklogged = result.claims.length > 0;
        return single.begin(result, asked, claimedAt);
      }
      if (result.dueSince === undefined) {
        isBacklogged = false;
        return;
      }
      void run(result.dueSince, true);
    },
  };
}
