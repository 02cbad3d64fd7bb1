import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseError } from '../database/database-error.ts';
import { claimEvents } from '../database/events/claim.ts';
import { type CircuitBreaker, createCircuitBreaker } from './circuit-breaker.ts';
import { type ClaimCursor, createClaimCursor } from './claim-cursor.ts';
import { type Batch, type BatchDeps, runBatch } from './run-batch.ts';

export interface WorkerDeps extends BatchDeps {
  /** Unlike that of any other process; the first part of `claimed_by`. */
  consumer: string;
  /** Most events in one claim. */
  batch: number;
  /** Most batches in hand at once. */
  concurrency: number;
  /** Sleep after a claim that found nothing; longest wait for the batch of one that found less than it asked for. */
  pollMs: number;
  /** End when nothing is due. */
  once: boolean;
}

/** What a worker remembers from one round to the next. */
export interface WorkerState {
  running: Set<Promise<void>>;
  outage: CircuitBreaker;
  cursor: ClaimCursor;
  /** The next claim takes at most this many: a source that serves only a few at a time gets only a few. */
  most: number;
  claimsMade: number;
}

export function createWorkerState({ batch }: Pick<WorkerDeps, 'batch'>): WorkerState {
  return {
    running: new Set(),
    outage: createCircuitBreaker(),
    cursor: createClaimCursor(),
    most: batch,
    claimsMade: 0,
  };
}

const AFTER_TROUBLE_MS = 1_000;

/**
 * Claims and fills until `stop` is aborted, or with `once` until nothing is due; then finishes what it holds. Once
 * `giveUp` is aborted as well, it gives back what is not finished. Resolves when nothing is held any more.
 */
export async function runWorker(deps: WorkerDeps, stop: AbortSignal, giveUp: AbortSignal): Promise<void> {
  const state = createWorkerState(deps);
  while (!stop.aborted) {
    const delayMs = await workRound(deps, state, stop, giveUp);
    if (delayMs === 'done') break;
    if (delayMs > 0) await sleep(delayMs, undefined, { signal: stop }).catch(() => {});
  }
  await Promise.all(state.running);
}

/** One claim, when there is a hand free and a source that works. Resolves to the ms until the next round. */
export async function workRound(
  deps: WorkerDeps,
  state: WorkerState,
  stop: AbortSignal,
  giveUp: AbortSignal,
): Promise<number | 'done'> {
  const { report, once, pollMs } = deps;
  const pauseMs = state.outage.pauseMs();
  if (pauseMs !== undefined) return pauseMs > 0 ? pauseMs : tryAgain(deps, state, stop);
  if (state.running.size >= deps.concurrency) {
    await Promise.race(state.running);
    return 0;
  }
  const { most } = state;
  let batch: Batch;
  try {
    batch = await claimBatch(deps, state, most);
  } catch (error) {
    // That contact is lost has been said, once.
    if (!(error instanceof DatabaseError && error.fault === 'unavailable')) report.trouble('could not claim', error);
    return AFTER_TROUBLE_MS;
  }
  if (batch.claims.length > 0) {
    const work = workInBackground(deps, state, batch, giveUp).finally(() => state.running.delete(work));
    state.running.add(work);
    // Fewer than it asked for: no more are due. What comes meanwhile gathers, or each would cost a claim of its own.
    if (batch.claims.length < most) await within(pollMs, work, stop);
    return 0;
  }
  if (!once) return pollMs * (0.9 + Math.random() * 0.2);
  if (state.running.size === 0) return 'done';
  await Promise.race(state.running);
  return 0;
}

/** Resolves when the work is done, but after `ms` at the latest, or when `stop` is aborted. */
async function within(ms: number, work: Promise<void>, stop: AbortSignal): Promise<void> {
  const done = new AbortController();
  const signal = AbortSignal.any([stop, done.signal]);
  await Promise.race([work, sleep(ms, undefined, { signal }).catch(() => {})]);
  done.abort();
}

async function claimBatch(deps: WorkerDeps, state: WorkerState, most: number): Promise<Batch> {
  const { db, consumer, leaseMs, once } = deps;
  const claimedBy = `${consumer}/${++state.claimsMade}`;
  const claimedAt = performance.now();
  const claim = (since: Date | undefined) => claimEvents(db, { claimedBy, limit: most, leaseMs, since });
  // With `once`, finding nothing must mean that nothing is due.
  const { claims } = once ? await claim(undefined) : await state.cursor(claim);
  return { claimedBy, claims, claimedAt };
}

async function workInBackground(
  deps: WorkerDeps,
  state: WorkerState,
  batch: Batch,
  giveUp: AbortSignal,
): Promise<void> {
  try {
    const served = await runBatch(deps, batch, giveUp);
    if (served === 0) throw new Error('the source served nothing');
    state.most = served < batch.claims.length ? served : Math.min(deps.batch, Math.ceil(state.most * 1.1));
    if (state.outage.end()) deps.report.sourceBack();
  } catch (error) {
    // It may be the number that the source cannot serve: the next claims are smaller, until they succeed.
    state.most = Math.max(1, Math.floor(batch.claims.length / 2));
    if (!giveUp.aborted && state.outage.begin(error)) deps.report.sourceDown(error);
  }
}

/** While the source is out of order nothing is claimed; it is only asked, with no event at stake, if it works again. */
async function tryAgain(
  { handleBatch, report }: WorkerDeps,
  { outage }: WorkerState,
  stop: AbortSignal,
): Promise<number> {
  try {
    await handleBatch([], stop);
    if (outage.end()) report.sourceBack();
  } catch (error) {
    outage.begin(error);
  }
  return 0;
}
