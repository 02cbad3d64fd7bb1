import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { type Change, readChanges } from './audit.ts';
import type { Operation } from './ledger.ts';
import type { Exit, LogLine } from './part.ts';
import type { FaultSystem } from './system.ts';
import type { WordCall } from './unique-words.ts';
import type { Watch } from './watch.ts';

interface Row {
  id: number;
  valor: string | null;
  claimedBy: string | null;
  attempts: number;
}

/** All that a run leaves behind; what the invariants are held against. */
export interface Evidence {
  operations: readonly Operation[];
  rows: readonly Row[];
  /** `DBStatus.id`. */
  counter: number;
  changes: readonly Change[];
  issued: ReadonlyMap<string, WordCall>;
  exits: readonly Exit[];
  lines: readonly LogLine[];
  watched: Pick<Watch, 'longestOverdueMs' | 'longTransactions'>;
  /** Connections of our processes that the server still has when all of them have ended. */
  connectionsLeft: number;
  historyLength: number;
}

/** Reads what the processes left behind; they have ended. */
export async function gatherEvidence(system: FaultSystem, watch: Watch): Promise<Evidence> {
  const { db, ledger, words } = system;
  const { rows } = await sql<Row>`SELECT id, valor, claimed_by AS claimedBy, attempts FROM Events ORDER BY id`.execute(
    db,
  );
  const counter = await db.selectFrom('DBStatus').select('id').executeTakeFirstOrThrow();
  return {
    operations: ledger.operations,
    rows,
    counter: counter.id,
    changes: await readChanges(db),
    issued: words.issued,
    exits: system.exits,
    lines: system.parts.flatMap(({ lines }) => lines),
    watched: watch,
    connectionsLeft: await connectionsLeft(system),
    historyLength: await historyLength(system),
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
