import { noticesFor } from '../database/events/notices.ts';
import { fillHeld, lockAllHeld } from '../database/events/settle.ts';
import type { Transaction } from '../database/transaction-session.ts';
import { transactionsFor } from '../database/transactions.ts';
import type { Effect, KindHandler, Outcome, UserTransaction } from '../handlers/handler.ts';
import { reasonOf } from '../handlers/reason-of.ts';
import { logOfValue } from './attempt-log.ts';
import type { HeldEvent } from './held-event.ts';
import type { ConsumerDeps } from './options.ts';
import type { Written } from './settle.ts';

export type EffectDeps = Pick<ConsumerDeps, 'db' | 'claimedBy' | 'giveUp'>;

/** A value, and what its handler writes with it. */
export interface EffectJob {
  event: HeldEvent;
  valor: string;
  effect: Effect;
}

/** Of those whose effect had its turn; all others are to be written alone. */
export type GroupOutcomes = Map<EffectJob, Outcome | Written>;

/** One effect that hangs keeps the others of its group no longer: they are written alone then. */
const LIMIT_MS = 2_000;
// So much of it is for effects: the last of them may need more than most.
const EFFECTS_SHARE = 0.5;

/**
 * In one transaction: checks the claims, runs one effect after the other, each behind a savepoint of its own, and fills. Events
 * that another connection has locked are passed over. Rejects if the transaction is lost: then nothing is written.
 */
export async function writeEffectGroup(
  { db, claimedBy, giveUp }: EffectDeps,
  handler: KindHandler,
  jobs: readonly EffectJob[],
): Promise<GroupOutcomes> {
  const transactions = transactionsFor(db);
  const limitMs = Math.min(LIMIT_MS, transactions.limitMs);
  const runUntil = performance.now() + limitMs * EFFECTS_SHARE;
  const writeAll = async (transaction: Transaction) => {
    const held = await lockAllHeld(transaction.db, { claimedBy, claims: jobs.map(({ event }) => event) });
    const ended: GroupOutcomes = new Map();
    for (const job of jobs) {
      if (giveUp.aborted || performance.now() > runUntil) break;
      if (held.has(job.event.id)) ended.set(job, await runEffect(transaction, job));
    }
    await transaction.check();
    const claims = [...ended].flatMap(([job, outcome]) => ('written' in outcome ? [toFill(handler, job)] : []));
    const hasKeys = claims.some(({ key }) => key !== undefined);
    const filled = claims.length === 0 ? 0 : await fillHeld(transaction.db, { claimedBy, claims, hasKeys });
    // No lease is renewed while its row is locked.
    if (filled < claims.length) throw new Error('a lease was over before its value was written');
    return ended;
  };
  const outcomes = await transactions.run(writeAll, { limitMs, signal: giveUp });
  const filled = [...outcomes].filter(([, outcome]) => 'written' in outcome);
  noticesFor(db).emit(
    'filled',
    filled.map(([{ event, valor }]) => ({ ...event, valor })),
  );
  return outcomes;
}

async function runEffect(transaction: Transaction, job: EffectJob): Promise<Outcome | Written> {
  const { trx, revoke, rollback } = transaction.begin(`event ${job.event.id}`);
  const outcome = await attempt(job, trx).finally(revoke);
  const lost = transaction.lost();
  if (lost) throw lost; // an effect may have hidden it
  if ('failure' in outcome) await rollback();
  return outcome;
}

async function attempt({ valor, effect }: EffectJob, trx: UserTransaction): Promise<Outcome | Written> {
  try {
    await effect(trx);
    return { written: 'filled', valor };
  } catch (error) {
    return { failure: reasonOf(error) };
  }
}

function toFill(handler: KindHandler, { event, valor }: EffectJob) {
  const log = logOfValue(handler, event.payload, { valor, startedAt: event.claimedAt });
  return { ...event, valor, log };
}
