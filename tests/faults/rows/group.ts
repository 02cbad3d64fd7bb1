import { sql } from 'kysely';
import type { Member } from '../../group.ts';
import { isCreate } from '../ledger.ts';
import { areFilled, idsWhere, longestGap, longestWithoutFill } from '../questions.ts';
import type { FaultRow, FaultRun } from '../run-row.ts';
import { COMMIT, FILL_HELD, FILL_LOCKED } from '../statements.ts';
import { createTasks } from './effects.ts';

const LEASE_MS = 3_000;
/** From the loss of the primary to the first create by the next. */
const CREATE_MS = 9_000;
const SLOWEST_MS = 10_000;
const FILL_MS = CREATE_MS + LEASE_MS;
/** Until events whose holders have lost them are filled. */
const HELD_MS = FILL_MS + LEASE_MS;
/** So long the primary is frozen or cut off: the others have another one, and it has given up. */
const LOSS_MS = 20_000;
/** Half of what is acknowledged is read at once. */
const CLIENTS = { lanes: 6, pauseMs: 25, reads: 0.5, waitSeconds: 3, deadlineMs: 15_000 };
const BAR = `a create within ${CREATE_MS / 1_000} s; no 404 for an acknowledged id; the members are equal`;

export const groupRows: FaultRow[] = [
  {
    id: 'F42',
    what: 'SIGTERM of the primary of a group of three',
    bar: BAR,
    system: { group: {} },
    clients: CLIENTS,
    async run(run) {
      const [primary] = run.system.group!.members;
      await losePrimary(run, () => primary!.stop());
      await comeBack(run, primary!);
    },
  },
  {
    id: 'F43',
    what: 'SIGSTOP of the primary for 20 s',
    bar: `${BAR}; nothing old is read when it wakes up`,
    system: { group: {} },
    clients: CLIENTS,
    async run(run) {
      const [primary] = run.system.group!.members;
      await losePrimary(run, async () => {
        primary!.freeze();
        await run.pass(LOSS_MS);
        primary!.thaw();
      });
      await run.system.group!.whole();
    },
  },
  {
    id: 'F44',
    what: 'the primary is cut off from its group for 20 s, and not from its clients',
    bar: BAR,
    system: { group: { canBeCut: true } },
    clients: CLIENTS,
    async run(run) {
      const { cut, whole } = run.system.group!;
      await losePrimary(run, async () => {
        await cut(true);
        await run.pass(LOSS_MS);
        await cut(false);
      });
      await whole();
    },
  },
  {
    id: 'F45',
    what: 'a primary that was killed joins again; the next one is killed, and it is the primary again',
    bar: `${BAR}, after both`,
    system: { group: {} },
    clients: CLIENTS,
    async run(run) {
      const { members, primary } = run.system.group!;
      const [first] = members;
      await losePrimary(run, () => first!.kill());
      await comeBack(run, first!);
      await sql`SET GLOBAL group_replication_member_weight = 100`.execute(first!.db);
      const second = await primary();
      await losePrimary(run, () => second.kill());
      run.check((await primary()) === first, 'another member is the primary');
      await comeBack(run, second);
    },
  },
  {
    id: 'F46',
    what: 'SIGKILL of the primary while each consumer holds events, some of them in COMMIT',
    bar: `${BAR}; effects = fills (C15); what was held is filled within ${HELD_MS / 1_000} s`,
    system: { group: {}, handlers: true, consumers: 3 },
    clients: { ...CLIENTS, tasks: 0.8 },
    async run(run) {
      const { system, until, measure } = run;
      const [primary] = system.group!.members;
      const goOn = await holdAll(run);
      const held = await idsWhere(system.db, sql`open = 1 AND processing = 1`);
      await losePrimary(run, async () => {
        await primary!.kill();
        goOn();
        const ms = await until(`the fill of ${held.length}`, () => areFilled(system.db, held), 2 * HELD_MS);
        measure(`fill of ${held.length} that were held`, ms, HELD_MS);
      });
      await comeBack(run, primary!);
    },
  },
];

/** Takes the primary away under load, and measures for how long nothing was created or filled. */
async function losePrimary(run: FaultRun, lose: () => Promise<void>): Promise<void> {
  const { system, watch, measure } = run;
  const { ledger, fronts, db } = system;
  watch.consumersWork = false;
  const from = performance.now();
  await lose();
  const ids = await createEverywhere(run);
  await run.until('the fill of new events', () => areFilled(db, ids), 20_000);
  const now = performance.now();
  // A create-sync may be answered long after its event was created.
  const sent = ledger.operations.filter(({ kind }) => kind === 'create-async');
  const byFront = fronts.map((front) => sent.filter((operation) => operation.front === front));
  measure('no create', longestGap(sent, from, now), CREATE_MS);
  measure('none by one producer', Math.max(...byFront.map((those) => longestGap(those, from, now))), SLOWEST_MS);
  measure('no fill', await longestWithoutFill(db, from, now), FILL_MS);
}

/** Resolves when each producer has acknowledged a create that was sent after this call, to their ids. */
async function createEverywhere({ system, until }: FaultRun): Promise<number[]> {
  const { ledger, fronts } = system;
  const from = performance.now();
  const idOf = (front: string) =>
    ledger.operations.find(
      (operation) =>
        isCreate(operation) && operation.outcome === 'ok' && operation.front === front && operation.sentAt > from,
    )?.id;
  await until('a create by each producer', () => fronts.every((front) => idOf(front) !== undefined), 20_000);
  return fronts.flatMap((front) => idOf(front) ?? []);
}

/** Starts a member again, under load. */
async function comeBack(run: FaultRun, member: Member): Promise<void> {
  await member.start();
  await run.system.group!.whole();
  await createEverywhere(run);
}

/**
 * Keeps each consumer in calls for words, and in transactions whose COMMIT is on its way to the primary, or whose answer
 * is on its way back: of `done()` and of inTransaction. Resolves to what lets them go on.
 */
async function holdAll(run: FaultRun): Promise<() => void> {
  const { system, watch, until } = run;
  watch.consumersWork = false;
  const calls = system.consumers.map(({ name }) => system.words.hold(name));
  await until('a call of each consumer', () => calls.every(({ waiting }) => waiting() > 0), 20_000);
  const databases = system.consumers.map(({ database }) => database);
  const commits = databases.map((database, n) =>
    database.intercept({ pattern: COMMIT, side: n % 2 === 0 ? 'reply' : 'request', act: () => 'hold' }),
  );
  const ofKind = (pattern: RegExp) =>
    databases.map((database) => database.intercept({ pattern, side: 'reply', act: () => 'pass' }));
  const kinds = [ofKind(FILL_HELD), ofKind(FILL_LOCKED)];
  await createTasks(run, 'answer', 20);
  const areHeld = () =>
    commits.every(({ stopped }) => stopped() > 0) && kinds.every((fills) => fills.some(({ matched }) => matched() > 0));
  await until('a COMMIT of each consumer', areHeld, 20_000);
  return () => {
    for (const { release } of [...calls, ...commits, ...kinds.flat()]) release();
  };
}
