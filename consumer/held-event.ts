import type { ClaimedEvent } from '../database/events/claim.ts';
import { parseTrace } from '../database/events/trace.ts';
import type { HandlerEvent } from '../handlers/handler.ts';

/** An event that this process holds, from its claim until its outcome is written. */
export interface HeldEvent extends ClaimedEvent {
  kind: string;
  claimedAt: number;
  /** When its lease began: at the claim, and again at each renewal. Both by performance.now(). */
  leasedAt: number;
  /** Called when somebody else may hold it by now. */
  onLost: () => unknown;
}

const NOBODY = () => {};

export function toHeldEvent(claim: ClaimedEvent, kind: string, claimedAt: number): HeldEvent {
  return { ...claim, kind, claimedAt, leasedAt: claimedAt, onLost: NOBODY };
}

export function toHandlerEvent(event: ClaimedEvent & { kind: string }): HandlerEvent {
  const { id, kind, key, attempt, failures, waits, createdAt, payload: payloadText, trace } = event;
  const payload: unknown = payloadText === undefined ? undefined : JSON.parse(payloadText);
  return { id, kind, key, attempt, failures, waits, createdAt, payload, payloadText, trace: parseTrace(trace) };
}
