import type { Claim } from '../database/events/claim.ts';
import type { Failure, Fill } from '../database/events/settle.ts';
import type { Outcome } from '../handlers/handler.ts';
import { type Batch, keepLease } from './lease-keeper.ts';
import type { ConsumerDeps } from './options.ts';
import { type Settlement, settleBatch } from './settle-batch.ts';

export type BatchDeps = Pick<ConsumerDeps, 'db' | 'report' | 'handleBatch' | 'retry' | 'leaseMs' | 'giveUp'>;

export interface BatchResult {
  /** How many of its events the handler served. */
  served: number;
  /** Why it served none. */
  error?: unknown;
  /** What is not written, because another connection has locked it. */
  locked: Settlement;
}

/** Calls the handler, renewing the lease meanwhile, and writes down what became of each event. Does not reject. */
export async function runBatch(deps: BatchDeps, batch: Batch): Promise<BatchResult> {
  const handled = new AbortController();
  const keeping = keepLease(deps, batch, handled.signal);
  const { error, ...settlement } = await callHandler(deps, batch.claims);
  handled.abort();
  await keeping;
  const locked = await settleBatch(deps, batch, settlement);
  return { served: batch.claims.length - settlement.releases.length, error, locked };
}

async function callHandler(
  { handleBatch, giveUp }: BatchDeps,
  claims: readonly Claim[],
): Promise<Settlement & { error?: unknown }> {
  try {
    const outcomes = await handleBatch(claims, giveUp);
    if (outcomes.length === 0) throw new Error('the handler served none of its events');
    return toSettlement(claims, outcomes);
  } catch (error) {
    return { fills: [], failures: [], releases: claims, why: giveUp.aborted ? 'shutting down' : 'no values', error };
  }
}

function toSettlement(claims: readonly Claim[], outcomes: readonly Outcome[]): Settlement {
  const fills: Fill[] = [];
  const failures: Failure[] = [];
  for (const [index, claim] of claims.slice(0, outcomes.length).entries()) {
    const outcome = outcomes[index]!;
    if ('failure' in outcome) failures.push({ ...claim, reason: outcome.failure });
    else if (isStorable(outcome.valor)) fills.push({ ...claim, valor: outcome.valor });
    else failures.push({ ...claim, reason: 'a value that cannot be stored' });
  }
  return { fills, failures, releases: claims.slice(outcomes.length), why: 'fewer values than events' };
}

/** Empty means not filled, also with spaces alone; the column takes 255 characters, and JSON only well-formed ones. */
function isStorable(valor: unknown): boolean {
  return typeof valor === 'string' && /[^ ]/.test(valor) && Array.from(valor).length <= 255 && valor.isWellFormed();
}
