import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { type Change, readChanges } from './audit.ts';
import { type Effect, readEffects } from './effects.ts';
import type { Operation } from './ledger.ts';
import type { Exit, LogLine } from './part.ts';
import { type Run, readRuns } from './runs.ts';
import type { FaultSystem } from './system.ts';
import type { WordCall } from './unique-words.ts';
import type { Watch } from './watch.ts';

interface Row {
  id: number;
  kind: string;
  key: string | null;
  valor: string | null;
  claimedBy: string;
  attempts: number;
  failures: number;
  isDead: 0 | 1;
}

/** All that a run leaves behind; what the invariants are held against. */
export interface Evidence {
  operations: readonly Operation[];
  rows: readonly Row[];
  /** `DBStatus.id`. */
  counter: number;
  changes: readonly Change[];
  issued: ReadonlyMap<string, WordCall>;
  /** Of handlers. */
  runs: readonly Run[];
  effects: readonly Effect[];
  exits: readonly Exit[];
  lines: readonly LogLine[];
  watched: Pick<Watch, 'longestOverdueMs' | 'longTransactions'>;
  /** Connections of our processes that the server still has when all of them have ended. */
  connectionsLeft: number;
  historyLength: number;
  /** The checksums of the tables, of each member of a group. */
  members: readonly string[];
}

/** Reads what the processes left behind; they have ended. */
export async function gatherEvidence(system: FaultSystem, watch: Watch): Promise<Evidence> {
  const { db, ledger, words } = system;
  const { rows } = await sql<Row>`
    SELECT Events.id, Kinds.name AS kind, event_key AS \`key\`, valor, claimed_by AS claimedBy, attempts, failures,
      valor IS NULL AND due_at IS NULL AS isDead
    FROM Events JOIN Kinds ON Kinds.id = Events.kind LEFT JOIN EventPayloads ON EventPayloads.id = Events.id
    ORDER BY Events.id`.execute(db);
  const counter = await db.selectFrom('DBStatus').select('id').executeTakeFirstOrThrow();
  return {
    operations: ledger.operations,
    rows,
    counter: counter.id,
    changes: await readChanges(db),
    issued: words.issued,
    runs: await readRuns(system.directory),
    effects: await readEffects(db),
    exits: system.exits,
    lines: system.parts.flatMap(({ lines }) => lines),
    watched: watch,
    connectionsLeft: await connectionsLeft(system),
    historyLength: await historyLength(system),
    members: (await system.group?.checksums()) ?? [],
  };
}

/** The server needs a moment to see that a process has gone. */
async function connectionsLeft(system: FaultSystem): Promise<number> {
  const giveUpAt = Date.now() + 3_000;
  for (;;) {
    const left = await system.connectionsOfParts();
    if (left === 0 || Date.now() > giveUpAt) return left;
    await sleep(20);
  }
}

async function historyLength({ db }: FaultSystem): Promise<number> {
  const { rows } = await sql<{ length: number }>`
    SELECT COUNT AS length FROM information_schema.INNODB_METRICS WHERE NAME = 'trx_rseg_history_len'`.execute(db);
  return rows[0]!.length;
}
