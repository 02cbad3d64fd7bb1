import { sql } from 'kysely';
import { createConnection } from 'mysql2/promise';
import type { Database } from '../../../database/connect.ts';
import { create } from '../clients.ts';
import { EFFECT_KINDS } from '../effects.ts';
import type { Part } from '../part.ts';
import { areFilled, idsWhere } from '../questions.ts';
import type { FaultRow, FaultRun } from '../run-row.ts';
import type { Task } from '../runs.ts';
import { COMMIT, FILL_HELD, FILL_LOCKED } from '../statements.ts';
import { TRANSACTION_MS } from '../system.ts';

const FILLS = { 'done()': FILL_HELD, inTransaction: FILL_LOCKED };
type Style = keyof typeof FILLS;
const STYLES = Object.keys(FILLS) as Style[];

export const effectRows: FaultRow[] = [
  {
    id: 'F62',
    what: 'done() and inTransaction: SIGKILL and SIGSTOP before COMMIT, COMMIT or the reply to it lost, deadlocks, statements that commit, SIGKILL mysqld',
    bar: 'effects = fills (C15); rows are unlocked 1 s after a kill, and 2 s after the limit of a frozen transaction',
    ownServer: true,
    system: { handlers: true, env: { LEASE_MS: '1000' } },
    clients: { lanes: 2, pauseMs: 30, tasks: 0.9, waitSeconds: 3, deadlineMs: 15_000 },
    async run(run) {
      const { system, random, watch, isShort } = run;
      watch.consumersWork = false;
      await createTasks(run, 'commit once', 10);
      for (let round = 1; round <= (isShort ? 1 : 10); round++) {
        const [one, other] = random.chance(0.5) ? STYLES : STYLES.toReversed();
        await killBeforeCommit(run, one!);
        await freezeBeforeCommit(run, other!);
        await loseCommits(run, 'request', isShort ? 3 : 10);
        await loseCommits(run, 'reply', isShort ? 5 : 20);
        await deadlock(run, isShort ? 3 : 5);
        await system.server!.kill();
        await system.server!.start();
        await system.ledger.nextAcknowledged();
      }
      const { rows: strays } = await sql`SHOW TABLES LIKE 'Stray'`.execute(system.db);
      run.check(strays.length === 0, 'a statement of a handler has committed');
    },
  },
];

/** Of each kind with an effect. */
export async function createTasks({ system }: FaultRun, does: Task['does'], count: number): Promise<void> {
  const tasks = EFFECT_KINDS.flatMap((kind) => Array.from({ length: count }, () => ({ kind, payload: { does } })));
  await create({ front: system.fronts[0]!, ledger: system.ledger }, { kind: 'create-async', tasks });
}

async function killBeforeCommit(run: FaultRun, style: Style): Promise<void> {
  const victim = run.random.pick(run.system.consumers);
  const { locked, goOn } = await stopBeforeCommit(run, style, victim);
  await victim.kill();
  await waitForUnlock(run, `${style} after a kill`, locked, 1_000);
  goOn();
  await victim.start();
}

async function freezeBeforeCommit(run: FaultRun, style: Style): Promise<void> {
  const zombie = run.random.pick(run.system.consumers);
  const { locked, goOn } = await stopBeforeCommit(run, style, zombie);
  await waitForUnlock(run, `${style} after a freeze`, locked, TRANSACTION_MS + 2_000);
  await run.until('the fill by another', () => areFilled(run.system.db, locked), 20_000);
  goOn();
  zombie.thaw();
}

/** Freezes a consumer when all is written but the COMMIT. Resolves to the events whose rows are locked then. */
async function stopBeforeCommit({ system, until, check }: FaultRun, style: Style, victim: Part) {
  for (let tries = 1; ; tries++) {
    const fill = victim.database.intercept({ pattern: FILLS[style], side: 'reply', act: () => 'hold' });
    await until(`a fill of ${style}`, () => fill.stopped() > 0, 20_000);
    victim.freeze();
    const open = await idsWhere(system.db, sql`open = 1`);
    const unlocked = new Set(await unlockedOf(system.db, open));
    const locked = open.filter((id) => !unlocked.has(id));
    if (locked.length > 0 || tries === 10) {
      check(locked.length > 0, `${style} had locked nothing`);
      return { locked, goOn: fill.release };
    }
    // On a busy machine the transaction may be over before we look.
    fill.release();
    victim.thaw();
  }
}

/** Others may lock them again at once: each must have been seen unlocked once. */
async function waitForUnlock({ system, until, measure }: FaultRun, what: string, locked: number[], limitMs: number) {
  const waiting = new Set(locked);
  const areUnlocked = async () => {
    for (const id of await unlockedOf(system.db, [...waiting])) waiting.delete(id);
    return waiting.size === 0;
  };
  measure(what, await until(`the end of the locks of ${what}`, areUnlocked, 2 * limitMs), limitMs);
}

async function unlockedOf(db: Database, ids: readonly number[]): Promise<number[]> {
  if (ids.length === 0) return [];
  const { rows } = await sql<{ id: number }>`
    SELECT id FROM Events FORCE INDEX (PRIMARY) WHERE id IN (${sql.join(ids)}) FOR UPDATE SKIP LOCKED`.execute(db);
  return rows.map(({ id }) => id);
}

/** Nobody knows whether it was carried out: with a lost request it was not, with a lost reply it was. */
async function loseCommits({ system, random, until }: FaultRun, side: 'request' | 'reply', times: number) {
  const luck = random.fork();
  const losing = system.consumers.map(({ database }) =>
    database.intercept({ pattern: COMMIT, side, act: () => (luck.chance(0.5) ? 'drop' : 'pass') }),
  );
  const lost = () => losing.reduce((sum, { stopped }) => sum + stopped(), 0);
  await until(`${times} COMMITs with a lost ${side}`, () => lost() >= times, 20_000);
  for (const { release } of losing) release();
}

/**
 * A stranger locks the second row, waits until a handler with the first one waits for it, and asks for the first: so many
 * times a handler is the victim, since the stranger has written more.
 */
async function deadlock(run: FaultRun, times: number): Promise<void> {
  const { rows } = await sql<{ name: string }>`SELECT DATABASE() AS name`.execute(run.system.db);
  const [{ name }] = rows as [{ name: string }];
  const stranger = await createConnection(`${run.system.serverUrl}${name}`);
  await stranger.query('CREATE TABLE IF NOT EXISTS Ballast (n INT) ENGINE = InnoDB');
  await stranger.query('USE mysql');
  let victims = 0;
  const collide = async () => {
    const before = await deadlocks(run.system.db);
    await stranger.query('START TRANSACTION');
    await stranger.query('INSERT INTO ?? VALUES ?', [`${name}.Ballast`, Array.from({ length: 500 }, (_, n) => [n])]);
    await stranger.query('UPDATE ?? SET n = n + 1 WHERE id = 2', [`${name}.Shared`]);
    await createTasks(run, 'collide', 1);
    await run.until('a handler that waits for a row', () => isWaitedFor(run.system.db), 20_000);
    await stranger.query('UPDATE ?? SET n = n + 1 WHERE id = 1', [`${name}.Shared`]);
    await stranger.query('ROLLBACK');
    if ((await deadlocks(run.system.db)) > before) victims++;
    return victims >= times;
  };
  await run.until(`${times} deadlocks of handlers`, collide, 30_000);
  await stranger.end();
}

async function deadlocks(db: Database): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    SELECT COUNT AS count FROM information_schema.INNODB_METRICS WHERE NAME = 'lock_deadlocks'`.execute(db);
  return rows[0]!.count;
}

/** Not by INNODB_TRX, which shows what it showed before to whoever asks more often than ten times a second. */
async function isWaitedFor(db: Database): Promise<boolean> {
  const { rows } = await sql`
    SELECT 1 FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND INFO LIKE 'UPDATE Shared % WHERE id = 2'`.execute(
    db,
  );
  return rows.length > 0;
}
