import { sql } from 'kysely';
import type { Interception } from '../fault-proxy.ts';
import type { Part } from '../part.ts';
import { areFilled, heldBy, idsWhere, longestGap } from '../questions.ts';
import type { FaultRow, FaultRun } from '../run-row.ts';
import { CLAIM, FILL } from '../statements.ts';
import type { FaultSystem } from '../system.ts';

const LEASE_MS = 1_000;
const ENV = { LEASE_MS: String(LEASE_MS) };
/** Few enough that what is given back is not behind a backlog, also on a busy machine. */
const LIGHT = { lanes: 2, pauseMs: 60, tasks: 0.5 };
const RECOVERY_MS = LEASE_MS + 2_000;

const KILL_POINTS = ['after the claim', 'during the call', 'before the fill', 'after the fill'] as const;
type KillPoint = (typeof KILL_POINTS)[number];

const CLOCKS: Record<string, number> = { 'consumer-1': 3_600_000, 'consumer-2': -3_600_000, 'producer-1': 3_600_000 };

export const consumerRows: FaultRow[] = [
  {
    id: 'F05',
    what: 'SIGKILL a consumer after the claim, during the call, before the fill, after the fill',
    bar: `refilled within the lease + 2 s (${RECOVERY_MS} ms)`,
    system: { handlers: true, env: ENV },
    clients: LIGHT,
    async run(run) {
      const rounds = run.isShort ? 1 : 5;
      for (let round = 1; round <= rounds; round++) {
        for (const point of KILL_POINTS) {
          const victim = run.random.pick(run.system.consumers);
          const held = await killAt(point, run, victim);
          const areRefilled = () => areFilled(run.system.db, held);
          const ms = await run.until(`the refill of ${held.length}`, areRefilled, RECOVERY_MS * 2);
          run.measure(`refill after a kill ${point}`, ms, RECOVERY_MS);
          await victim.start();
        }
      }
    },
  },
  {
    id: 'F06',
    what: 'all consumers dead for 30 s',
    bar: 'creates go on; then the backlog is drained within 30 s',
    clients: { sync: 0 },
    async run({ system, watch, isShort, measure, pass, until }) {
      watch.consumersWork = false;
      await Promise.all(system.consumers.map((consumer) => consumer.kill()));
      const from = performance.now();
      await pass(isShort ? 5_000 : 30_000);
      measure('longest gap', longestGap(system.ledger.operations, from, performance.now()), 1_000);
      await Promise.all(system.consumers.map((consumer) => consumer.start()));
      const backlog = await idsWhere(system.db, sql`open = 1`);
      const drainMs = await until('the drain', () => areFilled(system.db, backlog), 30_000);
      measure(`draining ${backlog.length}`, drainMs, 30_000);
    },
  },
  {
    id: 'F07',
    what: 'SIGSTOP a consumer past its lease, SIGCONT: its fill arrives late',
    bar: `taken over within the lease + 2 s (${RECOVERY_MS} ms); the late fill changes 0 rows`,
    system: { handlers: true, env: ENV },
    clients: LIGHT,
    async run(run) {
      for (let round = 1; round <= (run.isShort ? 1 : 5); round++)
        await thawLate(run, run.random.pick(run.system.consumers));
    },
  },
  {
    id: 'F08',
    what: 'SIGTERM a consumer with work in hand',
    bar: 'nothing is left claimed; exit 0 within 10 s',
    system: { handlers: true, env: ENV },
    clients: LIGHT,
    async run(run) {
      const { system, random, check } = run;
      for (let round = 1; round <= (run.isShort ? 1 : 5); round++) {
        const leaver = random.pick(system.consumers);
        const call = system.words.hold(leaver.name);
        await run.until('a call', () => call.waiting() > 0, 10_000);
        const stopped = leaver.stop();
        // Either it finishes with the words that come now, or it gives back what it has.
        if (round % 2 === 1) call.release();
        await stopped;
        call.release();
        const left = await idsWhere(system.db, heldBy(leaver));
        check(left.length === 0, `${left.length} events were left claimed`);
        await leaver.start();
      }
    },
  },
  {
    id: 'F53',
    what: "one consumer's clock is an hour ahead, another's an hour behind; the server's time zone is neither",
    bar: 'leases unaffected',
    ownServer: true,
    system: {
      consumers: 3,
      env: ENV,
      serverArgs: ['--default-time-zone=-03:00'],
      nodeArgs: (part) => (part in CLOCKS ? shiftClock(CLOCKS[part]!) : []),
    },
    async run(run) {
      for (const victim of run.system.consumers) {
        const held = await killAt('during the call', run, victim);
        run.measure(
          `refill after ${victim.name}`,
          await run.until('the refill', () => areFilled(run.system.db, held), RECOVERY_MS * 2),
          RECOVERY_MS,
        );
        await victim.start();
      }
    },
  },
];

/** Kills a consumer with work in hand at this point of its round. Resolves to the ids that it then held. */
async function killAt(point: KillPoint, { system, until }: FaultRun, victim: Part): Promise<number[]> {
  const stop = stopAt(point, system, victim);
  const holds = async () => point === 'after the fill' || (await idsWhere(system.db, heldBy(victim))).length > 0;
  await until(`a consumer ${point}`, async () => stop.isReached() && holds(), 10_000);
  await victim.kill();
  const held = await idsWhere(system.db, heldBy(victim));
  stop.release();
  return held;
}

function stopAt(point: KillPoint, { words }: FaultSystem, { name, database }: Part) {
  const stopped = ({ stopped, release }: Interception) => ({ isReached: () => stopped() > 0, release });
  switch (point) {
    case 'after the claim': // a claim of nothing is none
      return stopped(
        database.intercept({ pattern: CLAIM, side: 'reply', act: (bytes) => (bytes.includes('[[') ? 'hold' : 'pass') }),
      );
    case 'during the call': {
      const { waiting, release } = words.hold(name);
      return { isReached: () => waiting() > 0, release };
    }
    case 'before the fill':
      return stopped(database.intercept({ pattern: FILL, side: 'request', act: () => 'hold' }));
    case 'after the fill':
      return stopped(database.intercept({ pattern: FILL, side: 'reply', act: () => 'hold' }));
  }
}

/** Freezes a consumer whose fill is on its way, lets it arrive when others have taken its events over, and thaws it. */
async function thawLate({ system, until, measure, check }: FaultRun, zombie: Part): Promise<void> {
  const fill = zombie.database.intercept({ pattern: FILL, side: 'request', act: () => 'hold' });
  await until('a fill on its way', () => fill.stopped() > 0, 10_000);
  zombie.freeze();
  const held = await idsWhere(system.db, heldBy(zombie));
  check(held.length > 0, 'the frozen consumer held nothing');
  measure('takeover', await until('the takeover', () => areFilled(system.db, held), RECOVERY_MS * 2), RECOVERY_MS);
  const thawedAt = performance.now();
  fill.release();
  zombie.thaw();
  const hasLost = () => zombie.lines.some(({ at, text }) => at > thawedAt && /"lost":[1-9]/.test(text));
  await until('the word of the late fill', hasLost, 10_000);
  const { rows } = await sql<{ valor: string }>`SELECT valor FROM Events WHERE id IN (${sql.join(held)})`.execute(
    system.db,
  );
  const late = rows.filter(({ valor }) => system.words.issued.get(valor)?.consumer === zombie.name);
  check(late.length === 0, `the late fill changed ${late.length} rows`);
}

function shiftClock(ms: number): string[] {
  return ['--import', `${import.meta.resolve('../shifted-clock.ts')}?ms=${ms}`];
}
