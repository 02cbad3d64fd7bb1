import type { Change } from './audit.ts';
import { EFFECT_KINDS } from './effects.ts';
import type { Evidence } from './evidence.ts';
import type { Run } from './runs.ts';
import { few, type Violations } from './violations.ts';

/** Of events with one key never two runs at once, and never a later one before an earlier one is settled, or with it. */
export function orderOfKeys({ rows, runs, effects, changes }: Evidence): Violations {
  const { keyOf, previousOf } = keysOf(rows);
  const kindOf = new Map(rows.map(({ id, kind }) => [id, kind]));
  const settledAt = new Map(changes.flatMap(({ id, isSettled, at }) => (isSettled ? [[id, at] as const] : [])));
  const lostAt = new Map(
    changes.filter(({ what }) => what === 'taken back').map((change) => [nameOf(change), change.at]),
  );
  const endOf = (run: Run) => Math.min(run.endedAt ?? Infinity, lostAt.get(nameOf(run)) ?? Infinity);
  const running = new Map<string, Run>();
  // What was written in the filling transaction stands for the run that did.
  const all = [...runs, ...effects.map((effect): Run => ({ ...effect, beganAt: effect.at, endedAt: effect.at }))];
  const keyed = all.filter(({ id }) => keyOf.has(id)).toSorted((a, b) => a.beganAt - b.beganAt);
  const transactionOf = new Map(
    effects.filter(({ id }) => kindOf.get(id) === 'transaction').map((effect) => [effect.id, effect]),
  );
  /** It goes on with the next of a key, and settles all that it has at once. */
  const shareTransaction = (previous: number, { id, pid, beganAt }: Run) => {
    const before = transactionOf.get(previous);
    const isAfter = before !== undefined && before.pid === pid && before.at <= beganAt && transactionOf.has(id);
    return isAfter && (settledAt.get(previous) ?? Infinity) <= (settledAt.get(id) ?? -Infinity);
  };
  return few(keyed, (run) => {
    const key = keyOf.get(run.id)!;
    const before = running.get(key);
    if (!before || endOf(before) <= endOf(run)) running.set(key, run);
    // The clock of the runs counts whole milliseconds.
    if (before && run.beganAt < Math.floor(endOf(before))) return `${run.id} began while ${before.id} of its key ran`;
    const previous = previousOf.get(run.id);
    if (previous === undefined || (settledAt.get(previous) ?? Infinity) < run.beganAt + 1) return undefined;
    if (shareTransaction(previous, run)) return undefined;
    return `${run.id} began before ${previous} of its key was settled`;
  });
}

/** The key of each event that has one, and the event before it in the same key. */
function keysOf(rows: Evidence['rows']) {
  const keyOf = new Map<number, string>();
  const previousOf = new Map<number, number>();
  const newest = new Map<string, number>();
  for (const { id, key } of rows) {
    if (key === null) continue;
    keyOf.set(id, key);
    if (newest.has(key)) previousOf.set(id, newest.get(key)!);
    newest.set(key, id);
  }
  return { keyOf, previousOf };
}

/** Each filled event of a kind with an effect has one, and no other event has any. */
export function effectsAreFills({ rows, effects }: Evidence): Violations {
  const effectsOf = Map.groupBy(effects, ({ id }) => id);
  return few(rows, ({ id, kind, valor }) => {
    const expected = valor && WITH_EFFECT.has(kind) ? 1 : 0;
    const written = effectsOf.get(id)?.length ?? 0;
    return written === expected ? undefined : `${id} has ${written} effects, and should have ${expected}`;
  });
}

/** The failures of an event are its failed attempts and lost leases. Nothing else counts. */
export function exactFailures({ rows, runs, changes }: Evidence): Violations {
  const endings = new Map(runs.map((run) => [nameOf(run), run.ended]));
  const isLost = ({ what }: Change) => what === 'taken back';
  const hasFailed = (change: Change) => ['failed', 'overdue'].includes(endings.get(nameOf(change)) ?? '');
  const ends = Map.groupBy(
    changes.filter(({ what }) => what === 'returned' || what === 'taken back'),
    ({ id }) => id,
  );
  return few(rows, ({ id, kind, failures }) => {
    const ofRow = ends.get(id) ?? [];
    const lost = ofRow.filter(isLost).length;
    if (!HAS_RUNS.has(kind)) {
      const isPossible = lost <= failures && failures <= ofRow.length;
      return isPossible
        ? undefined
        : `${id} has ${failures} failures: ${lost} leases were lost, of ${ofRow.length} claims`;
    }
    const failed = ofRow.filter((change) => !isLost(change) && hasFailed(change)).length;
    if (failures === lost + failed) return undefined;
    return `${id} has ${failures} failures: ${failed} attempts failed, and ${lost} leases were lost`;
  });
}

/** Kinds of which each failed attempt is written down: a transaction may also be lost when the handler has ended. */
const HAS_RUNS = new Set(['task', 'bulk', 'trouble']);
const WITH_EFFECT = new Set<string>(EFFECT_KINDS);
/** Kinds whose handlers answer with their claim. */
export const NAMES_CLAIM = HAS_RUNS.union(WITH_EFFECT);

/** Runs of one claim by its process are the same as the claim. */
function nameOf(what: Run | Change): string {
  if ('pid' in what) return `${what.id}/${what.attempt}/${what.pid}`;
  return `${what.id}/${what.attempts}/${pidOf(what.claimedBy)}`;
}

/** `consumer-1.4711.a1b2c3` is a claim of the process 4711. */
export function pidOf(claimedBy: string): number {
  return Number(claimedBy.split('.')[1]);
}
