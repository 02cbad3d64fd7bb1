import { setTimeout as sleep } from 'node:timers/promises';
import { type Clients, type ClientsOptions, closeConnections, startClients } from './clients.ts';
import { type Evidence, gatherEvidence } from './evidence.ts';
import { type InvariantName, invariants } from './invariants.ts';
import { acknowledgedIds, type Tally, tally } from './ledger.ts';
import { createRandom, type Random } from './random.ts';
import { type FaultSystem, type SystemOptions, startSystem } from './system.ts';
import { startWatch, type Watch } from './watch.ts';

/** One line of the fault matrix. */
export interface FaultRow {
  id: string;
  /** The fault. */
  what: string;
  /** What must hold beyond the invariants. */
  bar: string;
  system?: Omit<SystemOptions, 'serverUrl' | 'freshServer' | 'random'>;
  /** The fault concerns the server itself, so that it cannot be that of others. */
  ownServer?: boolean;
  /** The load around the fault. `false`: the row brings its own. */
  clients?: ClientsOptions | false;
  /** With how many seeds it runs unless told otherwise. Default 1. */
  seeds?: number;
  /** Fewer acknowledged events prove nothing. Default 200. */
  least?: number;
  /** The fault ends connections of clients, which excuses requests that got no answer for that reason. */
  cutsClients?: boolean;
  /** Invariants that this fault suspends by its nature; each has its reason beside it. */
  suspends?: readonly InvariantName[];
  drainLimitMs?: number;
  /** Makes the fault and takes it back, while the clients go on. */
  run: (run: FaultRun) => Promise<void>;
}

export interface FaultRun {
  system: FaultSystem;
  /** For the schedule of the row itself. */
  random: Random;
  watch: Watch;
  /** In the ordinary test run: the same fault, less often. */
  isShort: boolean;
  /** Writes down how long something took; longer than the limit is a violation of the bar. */
  measure: (what: string, ms: number, limitMs: number) => void;
  /** Writes down a violation of the bar unless it holds. */
  check: (holds: boolean, otherwise: string) => void;
  /** Resolves when it holds, to the ms that this took; past the limit, to a violation of the bar as well. */
  until: (what: string, holds: () => boolean | Promise<boolean>, limitMs: number) => Promise<number>;
  startClients: (options?: ClientsOptions) => Clients;
  /** Resolves when so many creates are acknowledged that the row proves something. */
  enough: () => Promise<unknown>;
  /** Load and time for the fault to show. */
  pass: (ms: number) => Promise<void>;
}

interface Violation {
  /** The invariant, or `bar`. */
  check: InvariantName | 'bar';
  text: string;
}

export interface RowResult extends Tally {
  id: string;
  seed: number;
  lost: number;
  doubled: number;
  seconds: number;
  /** What was measured against the bar. */
  measured: { what: string; ms: number }[];
  violations: Violation[];
}

export interface RunOptions {
  seed: number;
  /** Of the server that rows share. */
  serverUrl: string;
  /** What a server of the row's own begins with; without it the row makes its data. */
  freshServer?: string;
  isShort?: boolean;
  /** A planted bug: further options of the system. */
  planted?: Pick<SystemOptions, 'nodeArgs' | 'prepare'>;
  /** Told of the system before it runs, so that it can be ended from outside at any time. */
  onStart?: (starting: Promise<FaultSystem>) => void;
}

const WARM = 30;
const DRAIN_LIMIT_MS = 30_000;
/** The ordinary test run has other tests on the same processors: so much longer may everything take there. */
const BUSY_MS = 6_000;

/** Runs one row: load, fault, fault off, drain, and then every check. */
export async function runRow(row: FaultRow, options: RunOptions): Promise<RowResult> {
  const { seed, serverUrl, freshServer, isShort = false, planted, onStart } = options;
  const startedAt = performance.now();
  const random = createRandom(seed);
  const busyMs = isShort ? BUSY_MS : 0;
  const violations: Violation[] = [];
  const measured: RowResult['measured'] = [];
  const starting = startSystem({
    ...row.system,
    ...planted,
    serverUrl: row.ownServer ? undefined : serverUrl,
    freshServer,
    random: random.fork().next,
  });
  onStart?.(starting);
  await using system = await starting;
  const watch = startWatch(system);
  const check = (holds: boolean, text: string) => void (holds || violations.push({ check: 'bar', text }));
  const acknowledged = () => tally(system.ledger.operations).acknowledged;
  const least = row.least ?? 200;
  const run: FaultRun = {
    system,
    random,
    watch,
    isShort,
    check,
    measure(what, ms, limitMs) {
      measured.push({ what, ms });
      check(ms <= limitMs + busyMs, `${what} took ${Math.round(ms)} ms, more than ${limitMs} ms`);
    },
    async until(what, holds, limitMs) {
      const from = performance.now();
      while (!(await holds())) {
        if (performance.now() - from > limitMs + busyMs) {
          check(false, `${what} was not so within ${limitMs} ms`);
          break;
        }
        await sleep(20);
      }
      return performance.now() - from;
    },
    startClients: (clients) => startClients(system, random, clients),
    enough: () => run.until(`${least} acknowledged creates`, () => acknowledged() >= least, 30_000),
    pass: (ms) => sleep(ms),
  };
  const clients = row.clients === false ? undefined : run.startClients(row.clients);
  if (clients) await run.until('the load', () => acknowledged() >= WARM, 20_000);
  await row.run(run);
  await system.heal();
  if (clients) await run.enough();
  await clients?.stop();
  await system.drain(row.drainLimitMs ?? DRAIN_LIMIT_MS);
  await watch.stop();
  await closeConnections();
  await Promise.all(system.parts.map((part) => part.stop()));

  const evidence = await gatherEvidence(system, watch);
  check(
    acknowledged() >= least,
    `only ${acknowledged()} creates were acknowledged, of the ${least} that prove something`,
  );
  violations.push(...holdAgainst(forgive(evidence, row, busyMs), row));
  return {
    id: row.id,
    seed,
    ...tally(evidence.operations),
    ...countHarm(evidence),
    seconds: Math.round((performance.now() - startedAt) / 100) / 10,
    measured,
    violations,
  };
}

/** The evidence without what this run is not to blame for. */
function forgive({ watched, ...evidence }: Evidence, { cutsClients }: FaultRow, busyMs: number): Evidence {
  return {
    ...evidence,
    watched: { ...watched, longestOverdueMs: watched.longestOverdueMs - busyMs },
    operations: cutsClients
      ? evidence.operations.map((operation) => ({ ...operation, isCut: false }))
      : evidence.operations,
  };
}

function holdAgainst(evidence: Evidence, { suspends = [] }: FaultRow): Violation[] {
  return (Object.keys(invariants) as InvariantName[])
    .filter((name) => !suspends.includes(name))
    .flatMap((check) => invariants[check](evidence).map((text) => ({ check, text })));
}

/** For the table: events that were acknowledged and are gone, and those that were acknowledged or filled twice. */
function countHarm({ operations, rows, changes }: Evidence): { lost: number; doubled: number } {
  const ids = new Set(rows.map(({ id }) => id));
  const acknowledged = acknowledgedIds(operations);
  const fills = changes.filter(({ what }) => what === 'filled' || what === 'rewritten').map(({ id }) => id);
  return {
    lost: acknowledged.filter((id) => !ids.has(id)).length,
    doubled: acknowledged.length - new Set(acknowledged).size + fills.length - new Set(fills).size,
  };
}
