import { sql } from 'kysely';
import type { Database } from '../../database/connect.ts';
import { claimEvents, type KindClaims } from '../../database/events/claim.ts';
import { createEvents, type NewEvent } from '../../database/events/create.ts';
import { giveBackEvents } from '../../database/events/settle.ts';
import type { Scenario } from '../scenario.ts';
import { median } from '../verdict.ts';

const FILLED = [0, 100_000, 1_000_000] as const;
const PENDING = 10_000;
const CLAIM = 500;
const LEASE_MS = 60_000;
const INSERT_AT_ONCE = 50_000;

/** B7: how long a claim takes must not depend on how much has been done before. */
export const claimTime: Scenario = {
  names: ['B7'],
  what: 'time of a claim with 0, 100,000 and 1,000,000 filled rows',
  seconds: 17,
  async run({ database, rounds, pick, say }) {
    const tables: { filled: number; db: Database; medians: number[] }[] = [];
    for (const filled of FILLED) {
      const rows = Math.min(filled, pick(filled, filled / 10));
      say(`preparing ${rows.toLocaleString('en-US')} filled rows`);
      const { db } = await database(`_${filled}`);
      await insertFilled(db, rows);
      await createEvents(
        db,
        Array.from({ length: PENDING }, (): NewEvent => ({})),
      );
      tables.push({ filled: rows, db, medians: [] });
    }
    for (let round = 0; round <= rounds; round++) {
      say(round === 0 ? 'warming up' : `round ${round} of ${rounds}`);
      const times = await claimInTurn(
        tables.map(({ db }) => db),
        pick(30, 10),
      );
      if (round > 0) for (const [index, table] of tables.entries()) table.medians.push(median(times[index]!));
    }
    const [empty, ...others] = tables;
    const baseline = { name: 'with none', values: empty!.medians };
    const rows = others.map(({ filled, medians }) => ({
      scenario: 'B7',
      what: `claim of ${CLAIM}, ${filled.toLocaleString('en-US')} filled rows`,
      unit: 'ms',
      ours: medians,
      baseline,
      bar: { atMost: 1.2 },
    }));
    return { rows };
  },
};

/** One claim on each table, again and again; what was claimed is given back outside the time. In ms, per table. */
async function claimInTurn(tables: readonly Database[], times: number): Promise<number[][]> {
  const taken = tables.map((): number[] => []);
  for (let time = 0; time < times; time++) {
    for (const [index, db] of tables.entries()) {
      const claimedBy = 'bench';
      const kinds = [{ kind: 'word', limit: CLAIM, maxFailures: 5 }];
      const startedAt = performance.now();
      const [{ claims }] = (await claimEvents(db, { claimedBy, leaseMs: LEASE_MS, kinds })) as [KindClaims];
      taken[index]!.push(performance.now() - startedAt);
      if (claims.length !== CLAIM) throw new Error(`claimed ${claims.length} instead of ${CLAIM}`);
      await giveBackEvents(db, { claimedBy, claims: claims.map((claim) => ({ ...claim, outcome: 'released' })) });
    }
  }
  return taken;
}

/** Rows as they are in the end, without the way there: that would take minutes. */
async function insertFilled(db: Database, rows: number): Promise<void> {
  for (let from = 0; from < rows; from += INSERT_AT_ONCE) {
    const list = JSON.stringify(Array.from({ length: Math.min(INSERT_AT_ONCE, rows - from) }, () => 0));
    await sql`
      INSERT INTO Events (id, valor, claimed_by, attempts, filled_at)
      SELECT ${from} + made.position, 'palavra', 'bench', 1, UTC_TIMESTAMP(3)
      FROM JSON_TABLE(${list}, '$[*]' COLUMNS (position FOR ORDINALITY)) AS made`.execute(db);
  }
  await sql`UPDATE DBStatus SET id = ${rows}`.execute(db);
}
