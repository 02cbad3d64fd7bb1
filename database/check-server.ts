import type { Database } from './connect.ts';
import { readServerVariables, tryLock } from './events.ts';

/** What a process says of its server when it starts. */
export interface ServerReport {
  /** Version and isolation, for the log. */
  summary: string;
  /** Why our guarantees do not hold on this server in full; empty when they do. */
  warnings: string[];
}

/** Which server this is, and whether an acknowledged commit survives its crash. */
export async function checkServer(db: Database): Promise<ServerReport> {
  const variables = await readServerVariables(db);
  const isolation = variables['transaction_isolation'] ?? variables['tx_isolation'];
  const warnings = [];
  if (variables['innodb_flush_log_at_trx_commit'] !== '1') warnings.push('innodb_flush_log_at_trx_commit is not 1');
  if (variables['log_bin'] === 'ON' && variables['sync_binlog'] !== '1') warnings.push('sync_binlog is not 1');
  return {
    summary: `database ${variables['version']}, ${isolation}`,
    warnings: warnings.map(
      (what) => `${what}: what was acknowledged may be lost when the machine of the server crashes`,
    ),
  };
}

const HOLD_MS = 100;

/**
 * Throws if this server's SKIP LOCKED takes no locks: TiDB reads the words and ignores them, and two consumers would
 * claim the same events. Needs two connections; a create may wait for it, for a tenth of a second.
 */
export async function checkSkipLocked(db: Database): Promise<void> {
  let holding = true;
  const held = tryLock(db, HOLD_MS).finally(() => {
    holding = false;
  });
  let isSkipped = false;
  while (holding && !isSkipped) isSkipped = !(await tryLock(db, 0));
  // When it was the first that found the row locked, by a create or another process's check, that shows it as well.
  if ((await held) && !isSkipped) {
    throw new Error('SELECT … FOR UPDATE SKIP LOCKED takes no locks on this server: events would be claimed twice.');
  }
}
