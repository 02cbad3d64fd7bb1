import type { Effect, KindHandler, Outcome, UserTransaction } from '../handlers/handler.ts';
import { reasonOf } from '../handlers/reason-of.ts';
import { type EffectDeps, type EffectJob, writeEffectGroup } from './effect-group.ts';
import { fillInTransaction } from './fill-in-transaction.ts';
import type { Written } from './settle.ts';

/** Resolves when the effect and the value are written, or one of them failed. */
export type WriteEffect = (job: EffectJob) => Promise<Outcome | Written>;

interface WaitingJob extends EffectJob {
  resolve: (outcome: Outcome | Written) => void;
}

/** The effects of one transaction take about so long at most: none waits much longer for others. */
const GROUP_MS = 100;
const GROUP_LIMIT = 100;
/** Of quick effects two transactions are enough; slow ones have one each. */
const QUICK_LANES = 2;
const LANES = 10;
/** How much the last one counts in how long an effect takes. */
const NEWEST_SHARE = 0.2;

/**
 * Writes the effects of a kind, many in one transaction while they come faster than they can be written one by one, and so many
 * that the last does not wait long: docs/design.md, "Transactions of handlers".
 */
export function createEffectQueue(deps: EffectDeps, handler: KindHandler): WriteEffect {
  const queue: WaitingJob[] = [];
  let lanes = 0;
  // Until it is known: two in each of two transactions.
  let effectMs = GROUP_MS / 2;

  const groupSize = () => Math.max(1, Math.min(GROUP_LIMIT, Math.floor(GROUP_MS / effectMs)));
  const laneLimit = () => (groupSize() > 1 ? QUICK_LANES : LANES);

  function startLanes(): void {
    for (let waiting = queue.length; waiting > 0 && lanes < laneLimit(); waiting -= groupSize()) {
      lanes++;
      // After the effects that this turn of the event loop still brings.
      setImmediate(() => void run());
    }
  }

  async function run(): Promise<void> {
    while (queue.length > 0 && lanes <= laneLimit()) {
      const jobs = queue.splice(0, groupSize());
      await write(jobs);
      startLanes();
    }
    lanes--;
  }

  async function write(jobs: readonly WaitingJob[]): Promise<void> {
    if (jobs.length === 1) return writeAlone(jobs[0]!);
    // What is left goes beside: its lock, or its own trouble, keeps no others from their turn.
    try {
      const outcomes = await writeEffectGroup(deps, handler, jobs);
      for (const [job, outcome] of outcomes) (job as WaitingJob).resolve(outcome);
      for (const job of jobs) if (!outcomes.has(job)) void writeAlone(job);
    } catch {
      effectMs = GROUP_MS; // the next ones come alone, and then more and more
      for (const job of jobs) void writeAlone(job);
    }
  }

  /** What an effect throws is its event's failure. */
  async function writeAlone({ event, valor, effect, resolve }: WaitingJob): Promise<void> {
    const work = async (trx: UserTransaction) => {
      await effect(trx);
      return valor;
    };
    await fillInTransaction(deps, handler, event, work).then(
      (written) => resolve({ written, valor }),
      (error: unknown) => resolve({ failure: reasonOf(error) }),
    );
  }

  /** The time of the statements around it depends on how many run at once, and would keep them apart. */
  async function timed(effect: Effect, trx: UserTransaction): Promise<void> {
    const startedAt = performance.now();
    try {
      await effect(trx);
    } finally {
      effectMs += (performance.now() - startedAt - effectMs) * NEWEST_SHARE;
    }
  }

  return (job) =>
    new Promise((resolve) => {
      queue.push({ ...job, effect: (trx) => timed(job.effect, trx), resolve });
      startLanes();
    });
}
