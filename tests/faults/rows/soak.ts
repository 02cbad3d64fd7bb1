import type { Part } from '../part.ts';
import type { FaultRow, FaultRun } from '../run-row.ts';
import { COMMIT, CREATE, FILL } from '../statements.ts';

const SMALL_FAULTS = 4;

/** Each breaks one thing for a moment; what stays broken is healed at the end of the run. */
const MIX: Record<string, (run: FaultRun) => Promise<unknown> | void> = {
  'kill a consumer': (run) => restart(run, run.random.pick(run.system.consumers), 'kill'),
  'kill a producer': (run) => restart(run, run.random.pick(run.system.producers), 'kill'),
  'stop a consumer': (run) => restart(run, run.random.pick(run.system.consumers), 'stop'),
  'stop a producer': (run) => restart(run, run.random.pick(run.system.producers), 'stop'),
  'freeze a consumer': (run) => freeze(run, run.random.pick(run.system.consumers)),
  'freeze a producer': (run) => freeze(run, run.random.pick(run.system.producers)),
  'cut connections': ({ system, random }) => random.pick(system.parts).database.cut(),
  'reset connections': ({ system, random }) => random.pick(system.parts).database.reset(),
  'swallow for a moment': async ({ system, random, pass }) => {
    const { database } = random.pick(system.parts);
    database.swallow(true);
    await pass(random.between(100, 1_500));
    database.swallow(false);
  },
  'refuse for a moment': async ({ system, random, pass }) => {
    const { database } = random.pick(system.parts);
    await database.refuse(true);
    await pass(random.between(100, 1_500));
    await database.refuse(false);
  },
  delay: ({ system, random }) => random.pick(system.parts).database.delay(random.between(1, 20), random.between(0, 20)),
  'lose replies to creates': (run) => lose(run, run.random.pick(run.system.producers), CREATE),
  'lose replies to fills': (run) => lose(run, run.random.pick(run.system.consumers), FILL),
  'lose replies to commits': (run) => lose(run, run.random.pick(run.system.consumers), COMMIT),
  'no words': async ({ system, random, pass }) => {
    const status = random.pick([500, 429, 404, 204]);
    system.words.fail((response) => void response.writeHead(status).end());
    await pass(random.between(200, 1_000));
    system.words.fail(undefined);
  },
  'slow words': async ({ system, random, pass }) => {
    const { release } = system.words.hold(random.pick(system.consumers).name);
    await pass(random.between(200, 2_000));
    release();
  },
};

export const soakRows: FaultRow[] = [
  {
    id: 'F60',
    what: 'soak: a random mix by seed',
    bar: '0 violations in 100 seeds and 100,000 acknowledged creates',
    seeds: 100,
    least: 1_000,
    cutsClients: true,
    clients: { lanes: 8, most: 8, keys: 0.3, waitSeconds: 5, deadlineMs: 15_000, tasks: 0.4 },
    system: { handlers: true, env: { LEASE_MS: '1000', DATABASE_TIMEOUT_MS: '2000', WORD_ATTEMPT_MS: '600' } },
    async run(run) {
      const { random, watch, pass } = run;
      watch.consumersWork = false;
      for (let n = 0; n < SMALL_FAULTS; n++) {
        await Promise.all([MIX[random.pick(Object.keys(MIX))]!(run), pass(random.between(200, 800))]);
      }
    },
  },
];

async function restart(_: FaultRun, part: Part, how: 'kill' | 'stop'): Promise<void> {
  await part[how]();
  await part.start();
}

async function freeze({ random, pass }: FaultRun, part: Part): Promise<void> {
  part.freeze();
  await pass(random.between(100, 2_000));
  part.thaw();
}

async function lose({ random, pass }: FaultRun, { database }: Part, pattern: RegExp): Promise<void> {
  const luck = random.fork();
  const losing = database.intercept({ pattern, side: 'reply', act: () => (luck.chance(0.5) ? 'drop' : 'pass') });
  await pass(random.between(200, 1_000));
  losing.release();
}
