import { create, TASK_KINDS } from '../clients.ts';
import type { Random } from '../random.ts';
import type { FaultRow, FaultRun } from '../run-row.ts';
import type { NewTask, Task } from '../runs.ts';

const LEASE_MS = 1_000;
/** How many thousandths of the events share so many keys: one key is worked on one event at a time. */
const SHARES = [
  { keys: 1, thousandths: 60 },
  { keys: 10, thousandths: 340 },
  { keys: 1_000, thousandths: 600 },
];
const DOES: Task['does'][] = [...Array.from({ length: 18 }, () => 'answer' as const), 'fail once', 'wait twice'];

export const keyRows: FaultRow[] = [
  {
    id: 'F67',
    what: '50,000 events over 1, 10 and 1,000 ordering keys, consumers killed and frozen meanwhile',
    bar: 'no two runs of a key at once, none out of order (C14)',
    system: { consumers: 3, handlers: true, env: { LEASE_MS: String(LEASE_MS) } },
    clients: false,
    drainLimitMs: 60_000,
    async run(run) {
      const { system, random, watch, isShort, check } = run;
      watch.consumersWork = false;
      const tasks = keyedTasks(random, isShort ? 1_000 : 50_000);
      const sending = { front: system.fronts[0]!, ledger: system.ledger };
      for (let from = 0; from < tasks.length; from += 1_000)
        await create(sending, { kind: 'create-async', tasks: tasks.slice(from, from + 1_000) });
      const over = new AbortController();
      const troubling = trouble(run, over.signal);
      const isDrained = await system.drain(isShort ? 60_000 : 900_000).finally(() => over.abort());
      await troubling;
      check(isDrained, 'some events were not filled in time');
    },
  },
];

/** In an order that mixes them. */
function keyedTasks(random: Random, howMany: number): NewTask[] {
  const keys = SHARES.flatMap(({ keys, thousandths }) =>
    Array.from({ length: (howMany * thousandths) / 1_000 }, () => `${keys}-${random.between(1, keys)}`),
  );
  return keys
    .map((key) => ({ key, lot: random.next() }))
    .toSorted((a, b) => a.lot - b.lot)
    .map(({ key }) => ({ kind: random.pick(TASK_KINDS), key, payload: { does: random.pick(DOES) } }));
}

/** One consumer after the other is killed, or frozen for longer than its lease. */
async function trouble({ system, random, pass }: FaultRun, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await pass(random.between(300, 1_500));
    const victim = random.pick(system.consumers);
    if (random.chance(0.5)) {
      await victim.kill();
      await victim.start();
    } else {
      victim.freeze();
      await pass(random.between(LEASE_MS, 2 * LEASE_MS));
      victim.thaw();
    }
  }
}
