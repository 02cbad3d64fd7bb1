import type { Claim } from '../database/events/claim.ts';
import {
  type Failure,
  type Fill,
  failEvents,
  fillEvents,
  type RetryPolicy,
  releaseEvents,
} from '../database/events/settle.ts';
import type { BatchHandler, Outcome } from '../handlers/handler.ts';
import { keepLease, type LeaseDeps } from './lease-keeper.ts';

/** Events claimed together. `claimedBy` is unlike that of any other claim, so that with the attempt it fences them. */
export interface Batch {
  claimedBy: string;
  claims: readonly Claim[];
  /** By performance.now(). */
  claimedAt: number;
}

export interface BatchDeps extends LeaseDeps {
  handleBatch: BatchHandler;
  retry: RetryPolicy;
}

/**
 * Has the values made, renewing the lease meanwhile, and writes down what became of each event. Resolves to how many the
 * source served. Rejects with the source's error when it is out of order; the events are then given back.
 */
export async function runBatch(deps: BatchDeps, batch: Batch, signal: AbortSignal): Promise<number> {
  const { handleBatch } = deps;
  let outcomes: Outcome[];
  const made = new AbortController();
  const keeping = keepLease(deps, batch.claimedBy, batch.claims, made.signal);
  try {
    outcomes = await handleBatch(batch.claims, signal);
  } catch (error) {
    await release(deps, batch, batch.claims, signal.aborted ? 'shutting down' : 'no values');
    throw error;
  } finally {
    made.abort();
    await keeping;
  }
  await settle(deps, batch, outcomes);
  return outcomes.length;
}

/** Each kind of outcome by itself: what cannot be written of one keeps no other from being written. */
async function settle(deps: BatchDeps, batch: Batch, outcomes: readonly Outcome[]): Promise<void> {
  const { claims } = batch;
  const fills: Fill[] = [];
  const failures: Failure[] = [];
  for (const [index, claim] of claims.slice(0, outcomes.length).entries()) {
    const outcome = outcomes[index]!;
    if ('failure' in outcome) failures.push({ ...claim, reason: outcome.failure });
    else if (isStorable(outcome.valor)) fills.push({ ...claim, valor: outcome.valor });
    else failures.push({ ...claim, reason: 'a value that cannot be stored' });
  }
  const unserved = claims.slice(outcomes.length);
  await Promise.all([
    fills.length > 0 && fill(deps, batch, fills),
    failures.length > 0 && fail(deps, batch, failures),
    unserved.length > 0 && release(deps, batch, unserved, 'fewer values than events'),
  ]);
}

async function fill({ db, report }: BatchDeps, { claimedBy, claimedAt }: Batch, fills: Fill[]): Promise<void> {
  try {
    const { filled } = await fillEvents(db, { claimedBy, fills });
    const done = filled.size === fills.length ? fills : fills.filter(({ id }) => filled.has(id));
    report.filled(done, fills.length - done.length, Math.round(performance.now() - claimedAt));
  } catch (error) {
    report.trouble(`${fills.length} events could not be filled and are left to their lease`, error);
  }
}

async function fail({ db, retry, report }: BatchDeps, { claimedBy }: Batch, failures: Failure[]): Promise<void> {
  try {
    const { failed } = await failEvents(db, { claimedBy, failures, retry });
    report.failed(failures, failures.length - failed);
  } catch (error) {
    report.trouble(`${failures.length} events that failed are left to their lease`, error);
  }
}

/**
 * A value is never empty, for that means not filled, and for the database it is also when there are only spaces; a column
 * of 255 characters takes it, and JSON carries it.
 */
function isStorable(valor: unknown): boolean {
  return typeof valor === 'string' && /[^ ]/.test(valor) && valor.length <= 255 && valor.isWellFormed();
}

async function release(
  { db, report }: BatchDeps,
  { claimedBy }: Batch,
  claims: readonly Claim[],
  why: string,
): Promise<void> {
  try {
    const { released } = await releaseEvents(db, { claimedBy, claims });
    report.released(released, why);
  } catch (error) {
    report.trouble(`${claims.length} events could not be given back and are left to their lease`, error);
  }
}
