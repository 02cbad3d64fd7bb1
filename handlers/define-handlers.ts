import { checkPayload } from './check-payload.ts';
import type {
  BatchDefinition,
  Definition,
  HandlerOptions,
  SingleDefinition,
  TransactionDefinition,
} from './definition.ts';
import { problemsOf } from './definition-problems.ts';
import type {
  BatchHandler,
  HandlerContext,
  HandlerEvent,
  HandlerInput,
  KindHandler,
  Outcome,
  SingleHandler,
  TransactionHandler,
} from './handler.ts';
import { type Handlers, toHandlers } from './handlers.ts';
import { toOutcome } from './outcome.ts';
import { toRetryDelay } from './retry-delay.ts';
import type { StandardSchema } from './standard-schema.ts';

type Definitions<Payloads> = { readonly [Kind in keyof Payloads]: Definition<Payloads[Kind]> };

/**
 * The handlers of a consumer, by kind. Throws one error that names all that is wrong. A handler may see an event twice; its
 * value is written once.
 *
 * @example export default defineHandlers({ email: async ({ payload }) => sendMail(payload) });
 */
export function defineHandlers<Payloads extends Record<string, unknown>>(module: Definitions<Payloads>): Handlers {
  const definitions = Object.entries(module) as [string, Definition][];
  const problems = definitions.flatMap(([kind, definition]) => problemsOf(kind, definition));
  if (definitions.length === 0) problems.push('There are no handlers: expected one for each kind, by its name.');
  if (problems.length > 0) throw new TypeError(problems.join('\n'));
  return toHandlers(definitions.map(([kind, definition]) => toKindHandler(kind, definition)));
}

function toKindHandler(kind: string, definition: Definition): KindHandler {
  if (typeof definition === 'function') return toSingleHandler(kind, { handle: definition });
  if (definition.handle !== undefined) return toSingleHandler(kind, definition);
  if (definition.handleBatch !== undefined) return toBatchHandler(kind, definition);
  return toTransactionHandler(kind, definition);
}

function toSingleHandler(kind: string, definition: SingleDefinition): SingleHandler {
  return {
    style: 'single',
    ...toPolicy(kind, definition),
    concurrency: definition.concurrency ?? 10,
    async handleEvent(event, context) {
      const fit = definition.payload ? await fitPayload(definition.payload, event) : event;
      if ('dead' in fit) return fit;
      return toOutcome(kind, await definition.handle(toInput(fit, context), context));
    },
  };
}

function toBatchHandler(kind: string, definition: BatchDefinition): BatchHandler {
  return {
    style: 'batch',
    ...toPolicy(kind, definition),
    batch: definition.batch ?? 100,
    concurrency: definition.concurrency ?? 2,
    async handleBatch(events, context) {
      const { payload: schema } = definition;
      const fits = schema ? await Promise.all(events.map((event) => fitPayload(schema, event))) : events;
      const handled = fits.flatMap((fit) => ('dead' in fit ? [] : [fit]));
      const results: unknown = handled.length === 0 ? [] : await definition.handleBatch(handled, context);
      if (!Array.isArray(results)) throw new TypeError(`handleBatch of the kind "${kind}" returned no list of results`);
      return inOrder(kind, fits, results);
    },
  };
}

function toTransactionHandler(kind: string, definition: TransactionDefinition): TransactionHandler {
  return {
    style: 'transaction',
    ...toPolicy(kind, definition),
    batch: definition.batch ?? 200,
    concurrency: definition.concurrency ?? 2,
    async handleIn(event, trx, context) {
      const fit = definition.payload ? await fitPayload(definition.payload, event) : event;
      if ('dead' in fit) return fit;
      const result = await definition.inTransaction(toInput(fit, context), trx, context);
      const outcome = toOutcome(kind, result);
      if ('effect' in outcome) await outcome.effect?.(trx);
      return outcome;
    },
  };
}

/** The outcomes of the first events: it ends at the first that fits and has no result. */
function inOrder(kind: string, fits: readonly Fit[], results: readonly unknown[]): Outcome[] {
  const outcomes: Outcome[] = [];
  let used = 0;
  for (const fit of fits) {
    if ('dead' in fit) outcomes.push(fit);
    else if (used === results.length) break;
    else outcomes.push(toOutcome(kind, results[used++]));
  }
  return outcomes;
}

type Fit = HandlerEvent | { dead: string };

async function fitPayload(schema: StandardSchema, event: HandlerEvent): Promise<Fit> {
  const checked = await checkPayload(schema, event.payload);
  return 'dead' in checked ? checked : { ...event, ...checked };
}

function toInput(event: HandlerEvent, context: HandlerContext): HandlerInput {
  return {
    ...event,
    installationId: context.installationId,
    // Most handlers never ask for it, and then it is not made.
    get signal() {
      return context.signal;
    },
  };
}

function toPolicy(
  kind: string,
  { attempts = 5, retryDelayMs, timeoutMs = 60_000, log = 'failures', logKey }: HandlerOptions,
) {
  return { kind, attempts, timeoutMs, retryDelayMs: toRetryDelay(retryDelayMs), log, logKey };
}
