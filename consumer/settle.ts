import { fillEvents, type GiveBack, giveBackEvents } from '../database/events/settle.ts';
import type { KindHandler, Outcome } from '../handlers/handler.ts';
import { toGiveBack } from './give-back.ts';
import type { HeldEvent } from './held-event.ts';
import type { ConsumerDeps } from './options.ts';
import { createWriteQueue } from './write-queue.ts';

type SettleDeps = Pick<ConsumerDeps, 'db' | 'report' | 'claimedBy' | 'giveUp'>;

/** Given back untouched, and why. */
export interface Release {
  release: string;
}

/** In a transaction of its handler; lost: somebody else has it, and nothing was written. */
export interface Written {
  written: 'filled' | 'lost';
  valor: string;
}

/** How the call of a handler ended for one event. */
export type Ended = Outcome | Release | Written;

/** Resolves when it is written what became of the event, or waits for a lock. `done`: nothing is left to write. */
export type Settle = (event: HeldEvent, handler: KindHandler, outcome: Ended, done: () => void) => Promise<void>;

/** Fills are written together, and so is all that is given back: what cannot be written of one keeps no other from it. */
export function createSettle(deps: SettleDeps): Settle {
  const fill = createWriteQueue({
    ...deps,
    verb: 'filled',
    write: (fills: readonly HeldFill[]) => writeFills(deps, fills),
  });
  const giveBack = createWriteQueue({
    ...deps,
    verb: 'given back',
    write: (claims: readonly HeldGiveBack[]) => writeGiveBacks(deps, claims),
  });
  return ({ id, attempt, failures, key, claimedAt }, handler, outcome, done) => {
    const claim = { id, attempt, claimedAt, hasKey: key !== undefined };
    if ('written' in outcome) {
      const fills = outcome.written === 'filled' ? [{ id, attempt, valor: outcome.valor }] : [];
      deps.report.filled(fills, 1 - fills.length, Math.round(performance.now() - claimedAt));
      return Promise.resolve(done());
    }
    if ('valor' in outcome) return fill({ ...claim, valor: outcome.valor }, done);
    if ('release' in outcome) return giveBack({ ...claim, outcome: 'released', why: outcome.release }, done);
    return giveBack({ ...claim, ...toGiveBack({ id, attempt, failures }, handler, outcome) }, done);
  };
}

interface Held {
  id: number;
  attempt: number;
  claimedAt: number;
  hasKey: boolean;
}
type HeldFill = Held & { valor: string };
type HeldGiveBack = Held & GiveBack & { why?: string };

const hasKeys = (claims: readonly Held[]) => claims.some(({ hasKey }) => hasKey);

async function writeFills({ db, report, claimedBy }: SettleDeps, claims: readonly HeldFill[]) {
  const { written, locked, lost } = await fillEvents(db, { claimedBy, claims, hasKeys: hasKeys(claims) });
  const oldest = Math.min(...claims.map(({ claimedAt }) => claimedAt));
  if (written.length + lost.length > 0) report.filled(written, lost.length, Math.round(performance.now() - oldest));
  return locked;
}

async function writeGiveBacks({ db, report, claimedBy }: SettleDeps, claims: readonly HeldGiveBack[]) {
  const { givenBack, locked } = await giveBackEvents(db, { claimedBy, claims, hasKeys: hasKeys(claims) });
  const written = locked.length === 0 ? claims : claims.filter((claim) => !locked.includes(claim));
  const failures = written.flatMap((claim) => ('reason' in claim ? [claim] : []));
  const lost = written.length - givenBack;
  if (failures.length > 0) report.failed(failures, Math.min(lost, failures.length));
  const released = Map.groupBy(written, (claim) => claim.why);
  for (const [why, { length }] of released) if (why !== undefined) report.released(length, why);
  return locked;
}
