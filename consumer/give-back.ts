import type { GiveBack } from '../database/events/settle.ts';
import type { KindHandler, Outcome } from '../handlers/handler.ts';

type NotFilled = Exclude<Outcome, { valor: string }>;

/** What is written of an attempt that ended without a value; an event with its attempts spent is dead. */
export function toGiveBack(
  { id, attempt, failures }: { id: number; attempt: number; failures: number },
  handler: KindHandler,
  outcome: NotFilled,
): GiveBack {
  if ('laterMs' in outcome) return { id, attempt, outcome: 'later', delayMs: outcome.laterMs };
  if ('dead' in outcome) return { id, attempt, outcome: 'refused', reason: outcome.dead };
  const { failure: reason, retryMs = 0 } = outcome;
  const isLast = failures + 1 >= handler.attempts;
  const delayMs = isLast ? undefined : Math.max(retryMs, handler.retryDelayMs(failures + 1));
  return { id, attempt, outcome: 'failed', reason, delayMs };
}
