import { sql } from 'kysely';
import type { Database } from '../../database/connect.ts';
import { createEvents } from '../../database/events/create.ts';
import { CLAIM, measureClaims } from '../claim-in-turn.ts';
import type { Scenario } from '../scenario.ts';

const FILLED = [0, 100_000, 1_000_000] as const;
const PENDING = 10_000;
const INSERT_AT_ONCE = 50_000;

/** B7: how long a claim takes must not depend on how much has been done before. */
export const claimTime: Scenario = {
  names: ['B7'],
  what: 'time of a claim with 0, 100,000 and 1,000,000 filled rows',
  seconds: 17,
  async run(stage) {
    const { database, pick, say } = stage;
    const tables: { filled: number; db: Database }[] = [];
    for (const wanted of FILLED) {
      const filled = Math.min(wanted, pick(wanted, wanted / 10));
      say(`preparing ${filled.toLocaleString('en-US')} filled rows`);
      const { db } = await database(`_${wanted}`);
      await insertFilled(db, filled);
      await createEvents(
        db,
        Array.from({ length: PENDING }, () => ({})),
      );
      tables.push({ filled, db });
    }
    const [none, ...medians] = await measureClaims(
      tables.map(({ db }) => db),
      stage,
    );
    return {
      rows: tables.slice(1).map(({ filled }, index) => ({
        scenario: 'B7',
        what: `claim of ${CLAIM}, ${filled.toLocaleString('en-US')} filled rows`,
        unit: 'ms',
        ours: medians[index]!,
        baseline: { name: 'with none', values: none! },
        bar: { atMost: 1.2 },
      })),
    };
  },
};

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
