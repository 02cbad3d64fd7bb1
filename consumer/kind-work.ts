import type { KindClaims, KindRequest } from '../database/events/claim.ts';
import { type KindHandler, SourceDownError } from '../handlers/handler.ts';
import { type CallDeps, callHandler } from './call-handler.ts';
import { type CircuitBreaker, createCircuitBreaker } from './circuit-breaker.ts';
import { createEffectQueue } from './effect-queue.ts';
import { type HeldEvent, toHeldEvent } from './held-event.ts';
import { InterruptedError, Interruption } from './interruption.ts';
import type { LeaseKeeper } from './lease-keeper.ts';
import type { ConsumerDeps } from './options.ts';
import type { Ended, Settle } from './settle.ts';

export interface KindWorkDeps extends Omit<CallDeps, 'writeEffect'>, Pick<ConsumerDeps, 'report'> {
  settle: Settle;
  leases: LeaseKeeper;
  /** Called when the next claim should not wait. */
  wake: () => void;
}

/** The work on one kind. */
export interface KindWork {
  kind: string;
  /** What the next claim may take; undefined while all places are taken or the circuit breaker is open. */
  request: () => KindRequest | undefined;
  /** Begins with what was claimed for a request. */
  begin: (result: KindClaims, asked: KindRequest, claimedAt: number) => void;
  /** Ms until an open circuit breaker lets one event through; infinite if it is not open. */
  pauseMs: () => number;
  /** Events of this kind were created in this process. */
  expect?: () => void;
  /** Begins with them, without a claim that would only say that they are due. Returns whether it did. */
  beginUnasked?: () => boolean;
  /** More is due than the last claim took, and a good part of the places is free. */
  wantsMore: () => boolean;
  /** Something runs, or waits to be written. */
  isBusy: () => boolean;
}

// So long the first free place waits for others, so that one claim serves them all.
const GATHER_MS = 5;

/**
 * A handler has `concurrency` places: for events, or for batches. A place is free again when the handler's call has ended;
 * as many calls again may wait for their outcomes to be written, so that handlers work meanwhile.
 */
export function createKindWork(
  handler: KindHandler,
  deps: KindWorkDeps,
  breaker: CircuitBreaker = createCircuitBreaker(),
): KindWork {
  const { report, giveUp, settle, leases, wake } = deps;
  const { kind, concurrency } = handler;
  const callDeps = { ...deps, writeEffect: createEffectQueue(deps, handler) };
  const logsLost = handler.log === 'off' ? {} : { log: true as const };
  const running = new Set<Interruption>();
  let unsettled = 0;
  let isBacklogged = false;
  // A handler that serves few at a time gets few.
  let eventsPerCall = handler.style === 'batch' ? handler.batch : 1;
  giveUp.addEventListener('abort', () => {
    for (const interruption of running) interruption.abort(new InterruptedError('shutting down'));
  });

  const freePlaces = () => Math.min(concurrency - running.size, 2 * concurrency - running.size - unsettled);
  const wantsMore = () => isBacklogged && breaker.state() === 'closed' && freePlaces() >= concurrency / 2;

  async function run(events: readonly HeldEvent[], isTrial: boolean): Promise<void> {
    const interruption = new Interruption();
    let kept = events.length;
    const onLost = () => --kept === 0 && interruption.abort(new InterruptedError('lost'));
    for (const event of events) event.onLost = onLost;
    running.add(interruption);
    if (giveUp.aborted) interruption.abort(new InterruptedError('shutting down'));
    const { outcomes, error } = await callHandler(callDeps, handler, events, interruption);
    running.delete(interruption);
    unsettled++;
    learn(outcomes, error, isTrial);
    // What was lost is no longer held.
    const ended = events.flatMap((event, index) => (leases.holds(event) ? [{ event, outcome: outcomes[index]! }] : []));
    const lost = events.length - ended.length;
    if (lost > 0) report.filled([], lost, Math.round(performance.now() - events[0]!.claimedAt));
    onFree();
    await settle(ended, handler, letGo);
    unsettled--;
    onFree();
  }

  function onFree(): void {
    // After a batch, what came meanwhile is claimed at once; after each single event that would be a claim of its own.
    if (handler.style === 'batch' || wantsMore() || leases.size() === 0) wake();
    else if (freePlaces() === 1) setTimeout(wake, GATHER_MS);
  }

  function letGo(event: HeldEvent): void {
    leases.letGo(event);
    if (leases.size() === 0) wake();
  }

  function learn(outcomes: readonly Ended[], error: unknown, isTrial: boolean): void {
    const served = outcomes.filter((outcome) => !('release' in outcome)).length;
    if (served > 0) {
      eventsPerCall = served < outcomes.length ? served : Math.min(batchOf(handler), Math.ceil(eventsPerCall * 1.1));
      if (isTrial && breaker.close()) report.handlerBack(kind);
    } else if (!(error instanceof InterruptedError)) {
      // It may not be able to serve so many.
      eventsPerCall = Math.max(1, Math.floor(outcomes.length / 2));
    }
    if (error instanceof SourceDownError && breaker.open(error)) report.handlerDown(kind, error);
  }

  return {
    kind,
    wantsMore,
    isBusy: () => running.size + unsettled > 0,
    pauseMs: () => (breaker.state() === 'open' ? breaker.pauseMs() : Infinity),
    request() {
      const state = breaker.state();
      const free = freePlaces();
      if (state === 'open' || free <= 0 || (state === 'half-open' && running.size > 0)) return undefined;
      const events = handler.style === 'batch' ? eventsPerCall : free;
      return { kind, limit: state === 'half-open' ? 1 : events, maxFailures: handler.attempts, ...logsLost };
    },
    begin({ claims }, { limit }, claimedAt) {
      isBacklogged = claims.length === limit;
      const isTrial = breaker.state() === 'half-open';
      const events = claims.map((claim) => toHeldEvent(claim, kind, claimedAt));
      leases.hold(events);
      const calls = handler.style === 'batch' ? [events] : events.map((event) => [event]);
      for (const call of calls) if (call.length > 0) void run(call, isTrial);
    },
  };
}

function batchOf(handler: KindHandler): number {
  return handler.style === 'batch' ? handler.batch : 1;
}
