import { sql } from 'kysely';
import type { Database } from './connect.ts';

/** What a process says of its server when it starts. */
export interface ServerReport {
  /** Version and isolation, for the log. */
  summary: string;
  /** Why our guarantees do not hold on this server in full; empty when they do. */
  warnings: string[];
}

/** The server's variables by its own names; only those that are asked for here. */
export type ServerVariables = Partial<Record<(typeof ASKED)[number], string>>;

const ASKED = [
  'version',
  'transaction_isolation',
  'tx_isolation',
  'log_bin',
  'sync_binlog',
  'innodb_flush_log_at_trx_commit',
  'max_allowed_packet',
  'wsrep_on',
] as const;

// A claim or fill of a thousand events takes up to about 1 MB; MariaDB's own default is 16 MB.
const MIN_PACKET_BYTES = 1_048_576;

/** Which server this is. Throws a sentence if our statements would not mean what they say there. */
export async function checkServer(db: Database): Promise<ServerReport> {
  const { rows } = await sql<{ Variable_name: string; Value: string }>`
    SHOW SESSION VARIABLES WHERE Variable_name IN (${sql.join(ASKED)})`.execute(db);
  return reportOn(Object.fromEntries(rows.map(({ Variable_name, Value }) => [Variable_name, Value])));
}

/** Servers are told apart by their version: SKIP LOCKED is a word that some read and ignore. */
export function reportOn(variables: ServerVariables): ServerReport {
  const { version = '', transaction_isolation, tx_isolation } = variables;
  if (!locksRows(version)) {
    throw new Error(
      `The server is ${version}, whose SKIP LOCKED is missing or locks no rows: events would be claimed twice. ` +
        'Use MySQL 8.4 or later, or MariaDB 10.6 or later.',
    );
  }
  if (Number(variables.max_allowed_packet) < MIN_PACKET_BYTES) {
    throw new Error(`max_allowed_packet is ${variables.max_allowed_packet}: set it to 16 MB or more on the server.`);
  }
  return {
    summary: `database ${version}, ${transaction_isolation ?? tx_isolation}`,
    warnings: warningsOf(variables),
  };
}

function warningsOf({ innodb_flush_log_at_trx_commit, log_bin, sync_binlog, wsrep_on }: ServerVariables): string[] {
  const lost = 'creates that were answered may be lost when the machine of the server crashes';
  const warnings = [];
  if (innodb_flush_log_at_trx_commit !== '1') warnings.push(`innodb_flush_log_at_trx_commit is not 1: ${lost}`);
  if (log_bin === 'ON' && sync_binlog !== '1') warnings.push(`sync_binlog is not 1: ${lost}`);
  if (wsrep_on === 'ON') {
    warnings.push('this is a Galera node, and row locks hold on no other node: let every process use this one');
  }
  return warnings;
}

/** SKIP LOCKED came with MySQL 8.0.1 and MariaDB 10.6; TiDB, which calls itself MySQL 8, takes no lock for it. */
function locksRows(version: string): boolean {
  const [, major, minor, patch] = /^(\d+)\.(\d+)(?:\.(\d+))?/.exec(version) ?? [];
  const number = Number(major) * 10_000 + Number(minor) * 100 + Number(patch ?? 99);
  return !/tidb/i.test(version) && number >= (/mariadb/i.test(version) ? 10_06_00 : 8_00_01);
}
