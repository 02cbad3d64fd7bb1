import { setTimeout as sleep } from 'node:timers/promises';

/** A queue, as one sees it who adds a job and waits for it. */
export interface WatchedQueue<Id> {
  /** Resolves once the job is durable. */
  add: () => Promise<Id>;
  /** Whether the job is recorded as done. */
  isDone: (id: Id) => Promise<boolean>;
}

const LOOK_MS = 2;
const WARM_UP_JOBS = 5;

/**
 * Adds jobs at random moments, so that no poll falls into step with them, and looks for each until it is done. The time from
 * the call to then, in ms, in ascending order.
 */
export async function measureAddToDone<Id>(
  queue: WatchedQueue<Id>,
  { jobs, perSecond, signal }: { jobs: number; perSecond: number; signal?: AbortSignal },
): Promise<number[]> {
  for (let n = 0; n < WARM_UP_JOBS; n++) await addToDone(queue); // the first ones connect
  let dueMs = 0;
  const latencies = Array.from({ length: jobs }, async () => {
    dueMs += (Math.random() * 2 * 1_000) / perSecond;
    await sleep(dueMs, undefined, signal && { signal });
    return addToDone(queue);
  });
  return (await Promise.all(latencies)).toSorted((a, b) => a - b);
}

async function addToDone<Id>({ add, isDone }: WatchedQueue<Id>): Promise<number> {
  const addedAt = performance.now();
  const id = await add();
  while (!(await isDone(id))) await sleep(LOOK_MS);
  return performance.now() - addedAt;
}
