import { noticesFor } from '../database/events/notices.ts';
import { type Fill, fillEvents, type GiveBack, giveBackEvents } from '../database/events/settle.ts';
import type { KindHandler, Outcome } from '../handlers/handler.ts';
import { logOfValue } from './attempt-log.ts';
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

interface EndedEvent {
  event: HeldEvent;
  outcome: Ended;
}

/**
 * Writes down how the events of a call ended. Resolves when that is written, or waits for a lock. `done`: nothing of this event
 * is left to write.
 */
export type Settle = (
  ended: readonly EndedEvent[],
  handler: KindHandler,
  done: (event: HeldEvent) => void,
) => Promise<void>;

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
  return async (ended, handler, done) => {
    const fills: HeldFill[] = [];
    const backs: HeldGiveBack[] = [];
    for (const { event, outcome } of ended) {
      const { id, attempt, claimedAt } = event;
      if ('written' in outcome) {
        const written = outcome.written === 'filled' ? [{ id, attempt, valor: outcome.valor }] : [];
        deps.report.filled(written, 1 - written.length, Math.round(performance.now() - claimedAt));
        done(event);
      } else if ('valor' in outcome) {
        const log = logOfValue(handler, event.payload, { valor: outcome.valor, startedAt: claimedAt });
        fills.push({ id, attempt, event, valor: outcome.valor, log });
      } else if ('release' in outcome) {
        backs.push({ id, attempt, event, outcome: 'released', why: outcome.release });
      } else backs.push({ ...toGiveBack(event, handler, outcome, claimedAt), event });
    }
    const filling = fill(fills, ({ event }) => done(event));
    const givingBack = giveBack(backs, ({ event }) => done(event));
    await filling;
    await givingBack;
  };
}

interface Held {
  id: number;
  attempt: number;
  event: HeldEvent;
}
type HeldFill = Held & Fill;
type HeldGiveBack = Held & GiveBack & { why?: string };

const hasKeys = (claims: readonly Held[]) => claims.some(({ event }) => event.key !== undefined);

async function writeFills({ db, report, claimedBy }: SettleDeps, claims: readonly HeldFill[]) {
  const { written, locked, lost } = await fillEvents(db, { claimedBy, claims, hasKeys: hasKeys(claims) });
  const filled = claims.map(({ event, valor }) => ({ ...event, valor }));
  if (written === claims) noticesFor(db).emit('filled', filled);
  else noticesFor(db).emit('settled');
  const oldest = Math.min(...claims.map(({ event }) => event.claimedAt));
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
