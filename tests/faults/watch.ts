import { sql } from 'kysely';
import { type FaultSystem, TRANSACTION_MS } from './system.ts';

/** What only shows while a run is under way, looked at four times a second. */
export interface Watch {
  /** How long past its time, its lease, or the limit of its transaction an open event stood while `consumersWork`, at the worst. */
  longestOverdueMs: number;
  /** Transactions of our database that were seen twice, older than five seconds. */
  longTransactions: Set<string>;
  /** Said by the row that stops consumers, or the database or the words for them. Back to true: the backlog is drained. */
  consumersWork: boolean;
  stop: () => Promise<void>;
}

const LOOK_MS = 250;
/** So many looks together take longer than an event may be late. */
const LOOKS_KEPT = 10;

export function startWatch({ db }: FaultSystem): Watch {
  const stop = new AbortController();
  const seenBefore = new Set<string>();
  /** How late the last looks were, in ms: a machine that has no time for them has none for consumers. */
  const lateness: number[] = [];
  const watch = {
    longestOverdueMs: 0,
    longTransactions: new Set<string>(),
    consumersWork: true,
    async stop() {
      stop.abort();
      await looking;
    },
  };

  async function look(): Promise<void> {
    const { rows } = await sql<{ overdueMs: number | null }>`
      SELECT TIMESTAMPDIFF(MICROSECOND, MIN(GREATEST(due_at, CASE
        WHEN processing = 1 THEN lease_until
        WHEN Kinds.name = 'transaction' THEN due_at + INTERVAL ${TRANSACTION_MS} * 1000 MICROSECOND
        ELSE due_at END)), UTC_TIMESTAMP(3))
        / 1000 AS overdueMs
      FROM Kinds STRAIGHT_JOIN Events FORCE INDEX (claim) ON Events.kind = Kinds.id AND Events.open = 1`.execute(db);
    // Asked for again after the statement: a fault may have begun while it ran.
    const overdueMs = (rows[0]?.overdueMs ?? 0) - lateness.reduce((sum, ms) => sum + ms, 0);
    if (watch.consumersWork) watch.longestOverdueMs = Math.max(watch.longestOverdueMs, overdueMs);
    // Not those that wait for a group to commit: a server that is cut off from it takes its time.
    const old = await sql<{ id: string }>`
      SELECT CAST(trx.trx_id AS CHAR) AS id FROM information_schema.INNODB_TRX AS trx
      JOIN information_schema.PROCESSLIST AS client ON client.ID = trx.trx_mysql_thread_id
      WHERE client.DB = DATABASE() AND NOT (client.STATE <=> 'waiting for handler commit')
        AND trx.trx_started < NOW() - INTERVAL 5 SECOND`.execute(db);
    // One that is about to end, after a server was frozen, is not held by anybody: only the second sight counts.
    for (const { id } of old.rows) (seenBefore.has(id) ? watch.longTransactions : seenBefore).add(id);
  }

  const looking = (async () => {
    while (!stop.signal.aborted) {
      const startedAt = performance.now();
      await look().catch(() => {}); // no server at the moment
      await new Promise<void>((resolve) => {
        setTimeout(resolve, LOOK_MS);
      });
      lateness.push(performance.now() - startedAt - LOOK_MS);
      if (lateness.length > LOOKS_KEPT) lateness.shift();
    }
  })();
  return watch;
}
