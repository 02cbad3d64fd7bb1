import { DatabaseError } from '../database/database-error.ts';
import { claimEvents, type KindClaims, type KindRequest } from '../database/events/claim.ts';
import type { NewEvent } from '../database/events/create.ts';
import { DEFAULT_KIND } from '../database/events/limits.ts';
import { noticesFor } from '../database/events/notices.ts';
import { renewEvents } from '../database/events/settle.ts';
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
  /** The kind whose next event must run alone. */
  suspected: KindWork | undefined;
  bell: Bell;
  /** From where on the next claim of each kind looks. */
  since: Map<string, string>;
  /** Until the next claim, if nothing rings. */
  pollMs: number;
  /** For how long claims have found nothing. */
  quietMs: number;
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
    suspected: undefined,
    bell,
    since: new Map(),
    pollMs: deps.pollMs,
    quietMs: 0,
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
/** With nothing to ask for, a round costs nothing; the bell rings earlier. */
const LOOK_AGAIN_MS = 1_000;
/** While events keep coming. */
const QUICK_POLL_MS = 5;
/** After as long without an event the poll is the usual one. It grows with the square: events rarely come only once. */
const QUIET_MS = 1_000;
/** While several come at once, claims take no larger part of the time than one of so many; a single one waits for no others. */
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
  const onCreated = (events: readonly NewEvent[] = []) => {
    const due = new Set(events.map(({ kind = DEFAULT_KIND, delayMs }) => (delayMs ? undefined : kind)));
    for (const work of state.kinds) if (due.has(work.kind)) work.expect?.();
    bell.ring();
  };
  const notices = noticesFor(deps.db).on('created', onCreated);
  while (!signal.aborted) {
    const delayMs = await workRound(deps, state);
    if (delayMs === 'done') break;
    if (delayMs > 0) await bell.wait(delayMs, signal);
  }
  notices.off('created', onCreated);
  while (isBusy(state)) await bell.wait(AFTER_TROUBLE_MS, NEVER);
  done.abort();
  await renewing;
}

/** One claim for all kinds that have places free. Resolves to the ms until the next, unless the bell rings. */
export async function workRound(deps: ConsumerDeps, state: WorkerState): Promise<number | 'done'> {
  const { kinds, leases } = state;
  if (leases.isFailing()) return AFTER_TROUBLE_MS;
  if (state.suspected) return tryAlone(deps, state, state.suspected);
  let hasBegun = false;
  const asked = kinds.flatMap((work) => {
    const isBegun = work.beginUnasked?.() ?? false;
    hasBegun ||= isBegun;
    const request = isBegun ? undefined : work.request();
    return request ? [{ work, request }] : [];
  });
  // It may have more places.
  if (asked.length === 0) return hasBegun ? state.pollMs : untilNextPlace(kinds);

  // What was locked by a write of ours when the claim passed may be due again.
  const wasBusy = isBusy(state);
  const startedAt = performance.now();
  const results = await claim(
    deps,
    state,
    asked.map(({ request }) => request),
  );
  if (!results) return AFTER_TROUBLE_MS;
  for (const [index, { work, request }] of asked.entries()) {
    work.begin(results[index]!, request, startedAt);
    if (results[index]!.isSuspect) state.suspected = work;
  }
  const claimed = results.reduce((sum, { claims }) => sum + claims.length, 0);
  if (claimed > 0 || kinds.some(({ wantsMore }) => wantsMore())) {
    const gatherMs = claimed > 1 ? (performance.now() - startedAt) * CLAIM_SHARE : 0;
    state.pollMs = Math.min(deps.pollMs, Math.max(QUICK_POLL_MS, gatherMs));
    state.quietMs = 0;
    return kinds.some(({ wantsMore }) => wantsMore()) ? 0 : state.pollMs;
  }
  if (deps.once) {
    if (isBusy(state) || asked.length < kinds.length) return untilNextPlace(kinds);
    return wasBusy ? 0 : 'done';
  }
  return afterNothing(deps, state);
}

/** The last attempt of an event that lost its consumers is made when nothing else runs: docs/design.md, "Lost leases". */
async function tryAlone(deps: ConsumerDeps, state: WorkerState, work: KindWork): Promise<number> {
  if (isBusy(state)) return LOOK_AGAIN_MS;
  const request = work.request();
  const alone = request && { ...request, limit: 1, alone: true as const };
  const startedAt = performance.now();
  const [result] = (alone && (await claim(deps, state, [alone]))) ?? [];
  if (alone && result) work.begin(result, alone, startedAt);
  if (result?.isSuspect && result.claims.length > 0) return 0;
  // Another connection may have it locked.
  state.suspected = undefined;
  return state.pollMs;
}

/** Nothing can be claimed before the bell rings, or a circuit breaker lets one event through. */
function untilNextPlace(kinds: readonly KindWork[]): number {
  return Math.min(LOOK_AGAIN_MS, ...kinds.map(({ pauseMs }) => pauseMs()));
}

async function afterNothing({ pollMs }: ConsumerDeps, state: WorkerState): Promise<number> {
  state.quietMs += state.pollMs;
  state.pollMs = Math.min(pollMs, Math.max(state.pollMs, pollMs * (state.quietMs / QUIET_MS) ** 2));
  if (state.pollMs === pollMs) await state.lookForLockedEvents();
  return state.pollMs * (0.9 + Math.random() * 0.2);
}

async function claim(deps: ConsumerDeps, { since }: WorkerState, requests: KindRequest[]) {
  const { db, claimedBy, leaseMs, once, report } = deps;
  try {
    const startedAt = performance.now();
    // With `once`, finding nothing must mean that nothing is due; and what is to run alone lies behind the cursor.
    const kinds = requests.map((request) => ({
      ...request,
      ...(once || request.alone ? {} : { since: since.get(request.kind) }),
    }));
    const results = await claimEvents(db, { claimedBy, leaseMs, kinds });
    for (const [index, { nextSince }] of results.entries()) since.set(requests[index]!.kind, nextSince);
    // The process may have been frozen: what is others' by now must not begin here as well.
    const ms = Math.round(performance.now() - startedAt);
    if (ms >= leaseMs) await leaveOutLost(deps, results, ms);
    return results;
  } catch (error) {
    // A lost database has been reported, once.
    if (!(error instanceof DatabaseError && error.fault === 'unavailable')) report.trouble('could not claim', error);
    return undefined;
  }
}

async function leaveOutLost(deps: ConsumerDeps, results: KindClaims[], ms: number): Promise<void> {
  const { db, claimedBy, leaseMs, report } = deps;
  const claims = results.flatMap((result) => result.claims);
  const { written } = await renewEvents(db, { claimedBy, claims, leaseMs });
  if (written.length < claims.length) report.filled([], claims.length - written.length, ms);
  const kept = new Set(written.map(({ id }) => id));
  for (const result of results) result.claims = result.claims.filter(({ id }) => kept.has(id));
}
