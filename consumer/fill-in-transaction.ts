import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseError } from '../database/database-error.ts';
import { noticesFor } from '../database/events/notices.ts';
import { fillHeld, isFilledBy, lockHeld } from '../database/events/settle.ts';
import { type Transaction, TransactionLostError } from '../database/transaction-session.ts';
import { transactionsFor } from '../database/transactions.ts';
import type { KindHandler, UserTransaction } from '../handlers/handler.ts';
import { logOfValue } from './attempt-log.ts';
import type { EffectDeps } from './effect-group.ts';
import type { HeldEvent } from './held-event.ts';

const TRIES = 5;
const PAUSE_MS = 100;

/** What was written for it must be undone: the next claim of the event writes it as well. */
class LeaseOverError extends Error {
  override readonly name = 'LeaseOverError';
}

/**
 * In one transaction: checks the claim, lets `work` write, and fills the event with what it resolves to. Repeats all after a
 * deadlock or a lost connection. Rejects as `work` does, and once `giveUp` is aborted: nothing is written then.
 */
export async function fillInTransaction(
  { db, claimedBy, giveUp }: EffectDeps,
  handler: KindHandler,
  event: HeldEvent,
  work: (trx: UserTransaction) => Promise<string>,
): Promise<'filled' | 'lost'> {
  for (let tries = 1; ; tries++) {
    try {
      const fill = async (transaction: Transaction) => {
        if (!(await lockHeld(transaction.db, claimedBy, event))) return undefined;
        const { trx, revoke } = transaction.begin(`event ${event.id}`);
        const valor = await work(trx).finally(revoke);
        await transaction.check();
        const log = logOfValue(handler, event.payload, { valor, startedAt: event.claimedAt });
        const claims = [{ ...event, valor, log }];
        const written = await fillHeld(transaction.db, { claimedBy, claims, hasKeys: event.key !== undefined });
        // No lease is renewed while its row is locked.
        if (written === 0) throw new LeaseOverError();
        return { ...event, valor };
      };
      const filled = await transactionsFor(db).run(fill, { signal: giveUp });
      if (filled) noticesFor(db).emit('filled', [filled]);
      else noticesFor(db).emit('settled');
      // It may have been filled by this claim, in a transaction of which we did not hear the end.
      return filled || (await isFilledBy(db, claimedBy, event)) ? 'filled' : 'lost';
    } catch (error) {
      if (error instanceof LeaseOverError) return 'lost';
      const cause = causeOf(error);
      // What a server says of a statement may pass. What it says each time is a fault of the statement.
      if (!cause || giveUp.aborted || (isSaidByServer(cause) && tries >= TRIES)) throw error;
      await sleep(PAUSE_MS * (0.5 + Math.random()), undefined, { signal: giveUp }).catch(() => {});
    }
  }
}

/** Of what took the transaction with it, and may pass; undefined for all else, a handler's own mistakes among it. */
function causeOf(error: unknown): DatabaseError | undefined {
  const cause = error instanceof TransactionLostError ? error.cause : undefined;
  return cause instanceof DatabaseError && cause.fault !== 'permanent' ? cause : undefined;
}

function isSaidByServer({ errno, fault }: DatabaseError): boolean {
  return errno > 0 && fault !== 'unavailable' && fault !== 'overloaded';
}
