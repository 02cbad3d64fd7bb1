import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../database/connect.ts';
import { findUnservedKinds } from '../database/events/kinds.ts';

export interface UnservedKindsDeps {
  db: Database;
  /** Called once for each kind, until it has been served again. */
  onUnserved: (kind: string) => void;
  onError: (error: unknown) => void;
}

const PAUSE_MS = 60_000;

/** Reports kinds whose events no consumer asks for, until `signal` is aborted. */
export async function runReportUnservedKinds(deps: UnservedKindsDeps, signal: AbortSignal): Promise<void> {
  let reported: readonly string[] = [];
  while (!signal.aborted) {
    // The first look comes after a pause as well: consumers that start beside us have asked by then.
    await sleep(PAUSE_MS * (0.5 + Math.random()), undefined, { signal }).catch(() => {});
    if (!signal.aborted) reported = await reportUnservedKindsRound(deps, reported);
  }
}

/** One look; reports what was not unserved at the look before. Resolves to the kinds that are unserved now. */
export async function reportUnservedKindsRound(
  { db, onUnserved, onError }: UnservedKindsDeps,
  reported: readonly string[],
): Promise<readonly string[]> {
  try {
    const unserved = await findUnservedKinds(db);
    for (const kind of unserved) if (!reported.includes(kind)) onUnserved(kind);
    return unserved;
  } catch (error) {
    onError(error);
    return reported;
  }
}
