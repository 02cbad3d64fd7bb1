import type { Database } from '../database/connect.ts';
import { type ClaimedEvent, lockEvents } from '../database/events/claim.ts';
import { noticesFor } from '../database/events/notices.ts';
import { type Fill, fillLocked, type GiveBack, giveBackLocked, maySettle } from '../database/events/settle.ts';
import type { Transaction } from '../database/transaction-session.ts';
import { transactionsFor } from '../database/transactions.ts';
import { type Outcome, SourceDownError, type TransactionHandler } from '../handlers/handler.ts';
import { reasonOf } from '../handlers/reason-of.ts';
import { logOfValue } from './attempt-log.ts';
import { toGiveBack } from './give-back.ts';
import { toHandlerEvent } from './held-event.ts';
import { inOrderOfKeys } from './in-order-of-keys.ts';
import type { ConsumerDeps } from './options.ts';

type BatchDeps = Pick<ConsumerDeps, 'db' | 'claimedBy' | 'installationId' | 'giveUp' | 'report'>;

interface TransactionBatch {
  /** How many events it locked. */
  locked: number;
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
  deps: BatchDeps,
  handler: TransactionHandler,
  since: string,
): Promise<TransactionBatch> {
  const { kind, batch: limit, attempts: maxFailures } = handler;
  const startedAt = performance.now();
  const transactions = transactionsFor(deps.db);
  const handleUntil = startedAt + transactions.limitMs * HANDLERS_SHARE;
  const { outcomes, ...result } = await transactions.run(async (transaction) => {
    const { claims } = await lockEvents(transaction.db, { kind, limit, maxFailures, since });
    const { error, ...outcomes } = await handleEvents({ ...deps, handler, transaction, handleUntil }, claims);
    await transaction.check();
    await writeOutcomes(transaction.db, deps.claimedBy, outcomes);
    return { locked: claims.length, error, outcomes };
  });
  const notices = noticesFor(deps.db);
  notices.emit(
    'filled',
    outcomes.fills.map(({ id, valor }) => ({ id, kind, valor })),
  );
  if (maySettle(outcomes.backs)) notices.emit('settled');
  reportOutcomes(deps.report, outcomes, Math.round(performance.now() - startedAt));
  return result;
}

interface HandleDeps extends BatchDeps {
  handler: TransactionHandler;
  transaction: Transaction;
  /** By performance.now(): no handler begins later. */
  handleUntil: number;
}

interface Outcomes {
  fills: (ClaimedEvent & Fill)[];
  backs: GiveBack[];
  hasKeys: boolean;
}

/** One after the other, until the time is over or the source is down; events without an outcome stay as they are. */
async function handleEvents(
  deps: HandleDeps,
  claims: readonly ClaimedEvent[],
): Promise<Outcomes & { error?: unknown }> {
  const { handler, transaction, giveUp, handleUntil } = deps;
  const outcomes: Outcomes = { fills: [], backs: [], hasKeys: claims.some(({ key }) => key !== undefined) };
  for await (const claim of inOrderOfKeys(transaction.db, handler, claims, outcomes.fills)) {
    if (giveUp.aborted || performance.now() > handleUntil) break;
    const startedAt = performance.now();
    const outcome = await handleEvent(deps, claim);
    if ('error' in outcome) return { ...outcomes, ...outcome };
    if ('valor' in outcome) {
      const { valor } = outcome;
      outcomes.fills.push({ ...claim, valor, log: logOfValue(handler, claim.payload, { valor, startedAt }) });
    } else outcomes.backs.push(toGiveBack(claim, handler, outcome, startedAt));
  }
  return outcomes;
}

/** With anything but a value, what the handler wrote is undone. Rejects if the transaction is lost. */
async function handleEvent(
  { handler, transaction, giveUp: signal, installationId }: HandleDeps,
  claim: ClaimedEvent,
): Promise<Outcome | { error: unknown }> {
  const { trx, revoke, rollback } = transaction.begin(`event ${claim.id}`);
  const outcome = await attempt(() => {
    const event = toHandlerEvent({ ...claim, kind: handler.kind });
    return handler.handleIn(event, trx, { signal, installationId });
  }).finally(revoke);
  const lost = transaction.lost();
  if (lost) throw lost;
  if (!('valor' in outcome)) await rollback();
  return outcome;
}

async function writeOutcomes(db: Database, claimedBy: string, { fills, backs, hasKeys }: Outcomes): Promise<void> {
  if (fills.length > 0) await fillLocked(db, { claimedBy, claims: fills, hasKeys });
  if (backs.length > 0) await giveBackLocked(db, { claimedBy, claims: backs, hasKeys });
}

function reportOutcomes(report: BatchDeps['report'], { fills, backs }: Outcomes, ms: number): void {
  if (fills.length > 0) report.filled(fills, 0, ms);
  const failures = backs.flatMap((claim) => ('reason' in claim ? [claim] : []));
  if (failures.length > 0) report.failed(failures, 0);
}

async function attempt(handle: () => Promise<Outcome>): Promise<Outcome | { error: unknown }> {
  try {
    return await handle();
  } catch (error) {
    return error instanceof SourceDownError ? { error } : { failure: reasonOf(error) };
  }
}
