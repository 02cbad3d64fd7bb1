import type { ClaimedEvent } from '../database/events/claim.ts';
import type { Attempt } from '../database/events/log.ts';
import type { GiveBack } from '../database/events/settle.ts';
import type { KindHandler, Outcome } from '../handlers/handler.ts';
import { logOf } from './attempt-log.ts';

type NotFilled = Exclude<Outcome, { valor: string }>;

/** What is written of an attempt that ended without a value; an event with its attempts spent is dead. */
export function toGiveBack(
  { id, attempt, failures, payload }: ClaimedEvent,
  handler: KindHandler,
  outcome: NotFilled,
  startedAt: number,
): GiveBack {
  const log = (ended: Attempt['outcome'], text?: string) =>
    logOf(handler, payload, { outcome: ended, startedAt, text });
  if ('laterMs' in outcome) {
    return { id, attempt, outcome: 'later', delayMs: outcome.laterMs, log: log('later', outcome.why) };
  }
  if ('dead' in outcome) {
    return { id, attempt, outcome: 'refused', reason: outcome.dead, log: log('dead', outcome.dead) };
  }
  const { failure: reason, retryMs = 0 } = outcome;
  const isLast = failures + 1 >= handler.attempts;
  const delayMs = isLast ? undefined : Math.max(retryMs, handler.retryDelayMs(failures + 1));
  return { id, attempt, outcome: 'failed', reason, delayMs, log: log(isLast ? 'dead' : 'failed', reason) };
}
