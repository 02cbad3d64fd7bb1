import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseError } from '../database/database-error.ts';
import { claimEvents } from '../database/events/claim.ts';
import { type CircuitBreaker, createCircuitBreaker } from './circuit-breaker.ts';
import { createClaimCursor } from './claim-cursor.ts';
import type { Batch } from './lease-keeper.ts';
import { createLookForLockedEvents } from './locked-events.ts';
import type { ConsumerDeps } from './options.ts';
import { runBatch } from './run-batch.ts';
import { settleLocked } from './settle-batch.ts';

export type WorkerState = ReturnType<typeof createWorkerState>;

/** What a worker remembers from one round to the next. */
export function createWorkerState(deps: Pick<ConsumerDeps, 'db' | 'report' | 'batch'>) {
  return {
    running: new Set<Promise<void>>(),
    /** What other connections had locked when its batch ended: it keeps no batch from being claimed. */
    settling: new Set<Promise<void>>(),
    breaker: createCircuitBreaker(),
    cursor: createClaimCursor(),
    /** How many events the next claim takes at most: a handler that serves few at a time gets few. */
    limit: deps.batch,
    claimsMade: 0,
    lookForLockedEvents: createLookForLockedEvents(deps),
  };
}

const AFTER_TROUBLE_MS = 1_000;

/**
 * Claims and fills until `signal` is aborted, or with `once` until nothing is due; then finishes the batches that run.
 * Once `giveUp` is aborted as well, it gives back what is not finished. Resolves when nothing is held any more.
 */
export async function runWorker(deps: ConsumerDeps, signal: AbortSignal): Promise<void> {
  const state = createWorkerState(deps);
  while (!signal.aborted) {
    const delayMs = await workRound(deps, state, signal);
    if (delayMs === 'done') break;
    if (delayMs > 0) await sleep(delayMs, undefined, { signal }).catch(() => {});
  }
  await Promise.all(state.running);
  await Promise.all(state.settling);
}

/** One claim, if another batch may run and the handler works. Resolves to the ms until the next round. */
export async function workRound(deps: ConsumerDeps, state: WorkerState, signal: AbortSignal): Promise<number | 'done'> {
  const { breaker, running, limit } = state;
  if (breaker.state() === 'open') return breaker.pauseMs();
  if (breaker.state() === 'half-open') return tryHandler(deps, breaker, signal);
  if (running.size >= deps.concurrency) return Promise.race(running).then(() => 0);

  const batch = await claimBatch(deps, state);
  if (!batch) return AFTER_TROUBLE_MS;
  if (batch.claims.length === 0) return afterNothing(deps, state);
  const work = track(running, workOn(deps, state, batch));
  // Fewer than it asked for: no more are due. What comes meanwhile gathers, or each would cost a claim of its own.
  if (batch.claims.length < limit) await within(deps.pollMs, work, signal);
  return 0;
}

/** While the handler is down nothing is claimed; it is only asked, with no event at stake, whether it works again. */
async function tryHandler(deps: ConsumerDeps, breaker: CircuitBreaker, signal: AbortSignal): Promise<number> {
  const { kind, handleBatch, report } = deps;
  try {
    await handleBatch([], signal);
    if (breaker.close()) report.handlerBack(kind);
  } catch (error) {
    breaker.open(error);
  }
  return 0;
}

async function afterNothing({ once, pollMs }: ConsumerDeps, state: WorkerState): Promise<number | 'done'> {
  await state.lookForLockedEvents();
  if (!once) return pollMs * (0.9 + Math.random() * 0.2);
  const unfinished = [...state.running, ...state.settling];
  return unfinished.length === 0 ? 'done' : Promise.race(unfinished).then(() => 0);
}

async function claimBatch(deps: ConsumerDeps, state: WorkerState): Promise<Batch | undefined> {
  const { db, consumer, leaseMs, once, report } = deps;
  const claimedBy = `${consumer}/${++state.claimsMade}`;
  const claimedAt = performance.now();
  const claim = (since?: Date) => claimEvents(db, { claimedBy, limit: state.limit, leaseMs, since });
  try {
    // With `once`, finding nothing must mean that nothing is due.
    const { claims } = await (once ? claim() : state.cursor(claim));
    return { claimedBy, claims, claimedAt };
  } catch (error) {
    // A lost database has been reported, once.
    if (!(error instanceof DatabaseError && error.fault === 'unavailable')) report.trouble('could not claim', error);
    return undefined;
  }
}

async function workOn(deps: ConsumerDeps, state: WorkerState, batch: Batch): Promise<void> {
  const { kind, report, giveUp } = deps;
  const claimed = batch.claims.length;
  const { served, error, locked } = await runBatch(deps, batch);
  void track(state.settling, settleLocked(deps, batch, locked));
  if (served > 0) {
    state.limit = served < claimed ? served : Math.min(deps.batch, Math.ceil(state.limit * 1.1));
    if (state.breaker.close()) report.handlerBack(kind);
    return;
  }
  // The handler may not be able to serve so many: the next claims are smaller, until they succeed.
  state.limit = Math.max(1, Math.floor(claimed / 2));
  if (!giveUp.aborted && state.breaker.open(error)) report.handlerDown(kind, error);
}

function track(works: Set<Promise<void>>, begun: Promise<void>): Promise<void> {
  const work = begun.finally(() => works.delete(work));
  works.add(work);
  return work;
}

/** Resolves when the work is done, but after `ms` at the latest, or when `signal` is aborted. */
async function within(ms: number, work: Promise<void>, signal: AbortSignal): Promise<void> {
  const done = new AbortController();
  const wake = AbortSignal.any([signal, done.signal]);
  await Promise.race([work, sleep(ms, undefined, { signal: wake }).catch(() => {})]);
  done.abort();
}
