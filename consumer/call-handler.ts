import {
  type Effect,
  type HandlerContext,
  type KindHandler,
  type Outcome,
  SourceDownError,
  type UserTransaction,
} from '../handlers/handler.ts';
import { reasonOf } from '../handlers/reason-of.ts';
import type { EffectDeps } from './effect-group.ts';
import type { WriteEffect } from './effect-queue.ts';
import { fillInTransaction } from './fill-in-transaction.ts';
import { type HeldEvent, toHandlerEvent } from './held-event.ts';
import { InterruptedError, type Interruption } from './interruption.ts';
import type { ConsumerDeps } from './options.ts';
import type { Ended, Release, Written } from './settle.ts';

export interface CallDeps extends EffectDeps, Pick<ConsumerDeps, 'installationId'> {
  writeEffect: WriteEffect;
}

/** Its signal is made when it is asked for. */
class CallContext implements HandlerContext {
  readonly installationId: string;
  readonly #interruption: Interruption;

  constructor(installationId: string, interruption: Interruption) {
    this.installationId = installationId;
    this.#interruption = interruption;
  }

  get signal(): AbortSignal {
    return this.#interruption.signal;
  }
}

export interface CallResult {
  /** One for each event, in their order. */
  outcomes: readonly Ended[];
  /** Why the handler served no event. */
  error?: unknown;
}

/**
 * Calls a handler for its events, until its time is over or it is interrupted, whatever it does about its signal; what it
 * makes of them later is ignored. Does not reject.
 */
export async function callHandler(
  deps: CallDeps,
  handler: KindHandler,
  events: readonly HeldEvent[],
  interruption: Interruption,
): Promise<CallResult> {
  const onOverdue = () => interruption.abort(new Error(`no outcome within ${handler.timeoutMs} ms`));
  const timer = setTimeout(onOverdue, handler.timeoutMs);
  const context = new CallContext(deps.installationId, interruption);
  try {
    const outcomes = await interruption.cut(() => call(deps, handler, events, context));
    if (outcomes.length === 0) throw new SourceDownError(0, 'the handler served none of its events');
    if (outcomes.length === events.length) return { outcomes };
    const rest = events.slice(outcomes.length).map(() => ({ release: 'fewer outcomes than events' }));
    return { outcomes: [...outcomes.slice(0, events.length), ...rest] };
  } catch (error) {
    return { outcomes: events.map(() => afterError(error, events.length)), error };
  } finally {
    clearTimeout(timer);
  }
}

async function call(
  deps: CallDeps,
  handler: KindHandler,
  events: readonly HeldEvent[],
  context: HandlerContext,
): Promise<readonly Ended[]> {
  switch (handler.style) {
    case 'single':
      return [await withEffect(deps, events[0]!, await handler.handleEvent(toHandlerEvent(events[0]!), context))];
    case 'batch': {
      const outcomes = await handler.handleBatch(events.map(toHandlerEvent), context);
      if (!outcomes.some(hasEffect)) return outcomes;
      const served = outcomes.slice(0, events.length);
      return Promise.all(served.map((outcome, index) => withEffect(deps, events[index]!, outcome)));
    }
    case 'transaction':
      return [
        await inTransaction(deps, handler, events[0]!, (trx) =>
          handler.handleIn(toHandlerEvent(events[0]!), trx, context),
        ),
      ];
  }
}

function hasEffect(outcome: Outcome): outcome is { valor: string; effect: Effect } {
  return 'effect' in outcome && outcome.effect !== undefined;
}

async function withEffect(deps: CallDeps, event: HeldEvent, outcome: Outcome): Promise<Ended> {
  if (!hasEffect(outcome)) return outcome;
  return deps.writeEffect({ event, valor: outcome.valor, effect: outcome.effect });
}

class NotFilledError extends Error {
  readonly outcome: Outcome;
  constructor(outcome: Outcome) {
    super('not filled');
    this.outcome = outcome;
  }
}

/** With anything but a value the transaction is rolled back, and the outcome is written without it. */
async function inTransaction(
  deps: CallDeps,
  handler: KindHandler,
  event: HeldEvent,
  work: (trx: UserTransaction) => Promise<Outcome>,
): Promise<Outcome | Written> {
  let valor = '';
  try {
    const written = await fillInTransaction(deps, handler, event, async (trx) => {
      const outcome = await work(trx);
      if (!('valor' in outcome)) throw new NotFilledError(outcome);
      return (valor = outcome.valor);
    });
    return { written, valor };
  } catch (error) {
    if (error instanceof NotFilledError) return error.outcome;
    throw error;
  }
}

/** Which of several events is to blame shows when they are tried again, in smaller batches. */
function afterError(error: unknown, events: number): Outcome | Release {
  if (error instanceof InterruptedError) return { release: error.message };
  if (error instanceof SourceDownError) return { release: 'the source is down' };
  if (events > 1) return { release: 'the handler failed for the whole batch' };
  return { failure: reasonOf(error) };
}
