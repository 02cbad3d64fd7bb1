import { lockEvents } from '../database/events/claim.ts';
import { noticesFor } from '../database/events/notices.ts';
import { type Fill, fillLocked, type GiveBack, giveBackLocked } from '../database/events/settle.ts';
import { transactionsFor } from '../database/transactions.ts';
import { type Outcome, SourceDownError, type TransactionHandler } from '../handlers/handler.ts';
import { reasonOf } from '../handlers/reason-of.ts';
import { toGiveBack } from './give-back.ts';
import { toHandlerEvent } from './held-event.ts';
import type { ConsumerDeps } from './options.ts';

type BatchDeps = Pick<ConsumerDeps, 'db' | 'claimedBy' | 'installationId' | 'giveUp' | 'report'>;

export interface TransactionBatch {
  /** How many events it locked. */
  locked: number;
  /** From where on the next one looks. */
  nextSince: string;
  /** The handler's source is down: it was left after the events before. */
  error?: unknown;
}

// Of the time that a transaction may take, so much is for handlers: the last of them may need more than most.
const HANDLERS_SHARE = 0.5;

/**
 * In one transaction: locks what is due, lets the handler have one event after the other, each behind a savepoint of its own,
 * and writes all outcomes. Rejects if the transaction is lost.
 */
export async function runTransactionBatch(
  { db, claimedBy, installationId, giveUp, report }: BatchDeps,
  handler: TransactionHandler,
  since: string,
): Promise<TransactionBatch> {
  const startedAt = performance.now();
  const fills: Fill[] = [];
  const backs: GiveBack[] = [];
  const transactions = transactionsFor(db);
  const result = await transactions.run(async (transaction): Promise<TransactionBatch> => {
    const { kind, batch: limit, attempts: maxFailures } = handler;
    const { claims, nextSince } = await lockEvents(transaction.db, { kind, limit, maxFailures, since });
    let error: unknown;
    for (const claim of claims) {
      if (giveUp.aborted || performance.now() - startedAt > transactions.limitMs * HANDLERS_SHARE) break;
      const { trx, revoke, rollback } = transaction.begin(`event ${claim.id}`);
      const event = toHandlerEvent({ ...claim, kind });
      const outcome = await attempt(() => handler.handleIn(event, trx, { signal: giveUp, installationId })).finally(
        revoke,
      );
      const lost = transaction.lost();
      if (lost) throw lost;
      if ('valor' in outcome) {
        fills.push({ ...claim, valor: outcome.valor });
        continue;
      }
      await rollback();
      if ('error' in outcome) {
        error = outcome.error;
        break;
      }
      backs.push(toGiveBack(claim, handler, outcome));
    }
    await transaction.check();
    const hasKeys = claims.some(({ key }) => key !== undefined);
    if (fills.length > 0) await fillLocked(transaction.db, { claimedBy, claims: fills, hasKeys });
    if (backs.length > 0) await giveBackLocked(transaction.db, { claimedBy, claims: backs, hasKeys });
    return { locked: claims.length, nextSince, error };
  });
  noticesFor(db).emit('settled');
  const ms = Math.round(performance.now() - startedAt);
  if (fills.length > 0) report.filled(fills, 0, ms);
  const failures = backs.flatMap((claim) => ('reason' in claim ? [claim] : []));
  if (failures.length > 0) report.failed(failures, 0);
  return result;
}

async function attempt(handle: () => Promise<Outcome>): Promise<Outcome | { error: unknown }> {
  try {
    return await handle();
  } catch (error) {
    return error instanceof SourceDownError ? { error } : { failure: reasonOf(error) };
  }
}
