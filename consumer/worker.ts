import { DatabaseError } from '../database/database-error.ts';
import { claimEvents, type KindRequest } from '../database/events/claim.ts';
import { noticesFor } from '../database/events/notices.ts';
import type { KindHandler } from '../handlers/handler.ts';
import { type Bell, createBell } from './bell.ts';
import { createKindWork, type KindWork, type KindWorkDeps } from './kind-work.ts';
import { createLeaseKeeper, type LeaseKeeper } from './lease-keeper.ts';
import { createLookForLockedEvents } from './locked-events.ts';
import type { ConsumerDeps } from './options.ts';
import { createSettle } from './settle.ts';
import { createTransactionWork } from './transaction-work.ts';

export interface WorkerState {
  kinds: readonly KindWork[];
  leases: LeaseKeeper;
  bell: Bell;
  /** From where on the next claim of each kind looks. */
  since: Map<string, string>;
  /** Until the next claim, if nothing rings. */
  pollMs: number;
  lookForLockedEvents: () => Promise<void>;
}

/** What a worker remembers from one round to the next. */
export function createWorkerState(deps: ConsumerDeps, handlers: readonly KindHandler[]): WorkerState {
  const leases = createLeaseKeeper(deps);
  const settle = createSettle(deps);
  const bell = createBell();
  return {
    kinds: handlers.map((handler) => createWork(handler, { ...deps, settle, leases, wake: bell.ring })),
    leases,
    bell,
    since: new Map(),
    pollMs: deps.pollMs,
    lookForLockedEvents: createLookForLockedEvents(
      deps,
      handlers.map(({ kind }) => kind),
    ),
  };
}

function createWork(handler: KindHandler, deps: KindWorkDeps): KindWork {
  return handler.style === 'transaction' ? createTransactionWork(handler, deps) : createKindWork(handler, deps);
}

const isBusy = ({ kinds, leases }: WorkerState) => leases.size() > 0 || kinds.some((work) => work.isBusy());

const AFTER_TROUBLE_MS = 1_000;
/** While events keep coming. */
const QUICK_POLL_MS = 5;
/** Of the time while events keep coming, claims take no larger part than one of so many. */
const CLAIM_SHARE = 4;
const NEVER = new AbortController().signal;

/**
 * Claims and handles until `signal` is aborted, or with `once` until nothing is due; then finishes the events in progress.
 * Once `giveUp` is aborted as well, it gives back what is not finished. Resolves when nothing is held any more.
 */
export async function runWorker(deps: ConsumerDeps, state: WorkerState, signal: AbortSignal): Promise<void> {
  const { leases, bell } = state;
  const done = new AbortController();
  const renewing = leases.run(done.signal);
  const notices = noticesFor(deps.db).on('created', bell.ring);
  while (!signal.aborted) {
    const delayMs = await workRound(deps, state);
    if (delayMs === 'done') break;
    if (delayMs > 0) await bell.wait(delayMs, signal);
  }
  notices.off('created', bell.ring);
  while (isBusy(state)) await bell.wait(AFTER_TROUBLE_MS, NEVER);
  done.abort();
  await renewing;
}

/** One claim for all kinds that have places free. Resolves to the ms until the next, unless the bell rings. */
export async function workRound(deps: ConsumerDeps, state: WorkerState): Promise<number | 'done'> {
  const { kinds, leases } = state;
  if (leases.isFailing()) return AFTER_TROUBLE_MS;
  const asked = kinds.flatMap((work) => {
    const request = work.request();
    return request ? [{ work, request }] : [];
  });
  if (asked.length === 0) return Math.min(...kinds.map(({ pauseMs }) => pauseMs()));

  const startedAt = performance.now();
  const results = await claim(
    deps,
    state,
    asked.map(({ request }) => request),
  );
  if (!results) return AFTER_TROUBLE_MS;
  for (const [index, { work, request }] of asked.entries()) work.begin(results[index]!, request, startedAt);
  if (results.some(({ claims }) => claims.length > 0) || kinds.some(({ wantsMore }) => wantsMore())) {
    const tookMs = performance.now() - startedAt;
    state.pollMs = Math.min(deps.pollMs, Math.max(QUICK_POLL_MS, tookMs * CLAIM_SHARE));
    return kinds.some(({ wantsMore }) => wantsMore()) ? 0 : state.pollMs;
  }
  if (deps.once) {
    const isDone = asked.length === kinds.length && !isBusy(state);
    return isDone ? 'done' : Math.min(...kinds.map(({ pauseMs }) => pauseMs()));
  }
  return afterNothing(deps, state);
}

async function afterNothing({ pollMs }: ConsumerDeps, state: WorkerState): Promise<number> {
  // From a quick poll to the usual one within half a second.
  state.pollMs = Math.min(pollMs, state.pollMs * 1.25);
  if (state.pollMs === pollMs) await state.lookForLockedEvents();
  return state.pollMs * (0.9 + Math.random() * 0.2);
}

async function claim(
  { db, claimedBy, leaseMs, once, report }: ConsumerDeps,
  { since }: WorkerState,
  requests: KindRequest[],
) {
  try {
    // With `once`, finding nothing must mean that nothing is due.
    const kinds = requests.map((request) => ({ ...request, ...(once ? {} : { since: since.get(request.kind) }) }));
    const results = await claimEvents(db, { claimedBy, leaseMs, kinds });
    for (const [index, { nextSince }] of results.entries()) since.set(requests[index]!.kind, nextSince);
    return results;
  } catch (error) {
    // A lost database has been reported, once.
    if (!(error instanceof DatabaseError && error.fault === 'unavailable')) report.trouble('could not claim', error);
    return undefined;
  }
}
