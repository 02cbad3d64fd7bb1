import type { Database } from '../database/connect.ts';
import { claimEvents, type KindClaims } from '../database/events/claim.ts';
import { giveBackEvents } from '../database/events/settle.ts';
import type { Stage } from './stage.ts';
import { median } from './verdict.ts';

/** Events in one claim. */
export const CLAIM = 500;

const LEASE_MS = 60_000;

/** The median time of a claim of words in each database and round, in ms; the databases take turns. */
export async function measureClaims(
  databases: readonly Database[],
  { rounds, pick, say }: Pick<Stage, 'rounds' | 'pick' | 'say'>,
): Promise<number[][]> {
  const medians = databases.map((): number[] => []);
  for (let round = 0; round <= rounds; round++) {
    say(round === 0 ? 'warming up' : `round ${round} of ${rounds}`);
    const times = databases.map((): number[] => []);
    for (let time = 0; time < pick(30, 10); time++) {
      for (const [index, db] of databases.entries()) times[index]!.push(await claimOnce(db));
    }
    if (round > 0) for (const [index, taken] of times.entries()) medians[index]!.push(median(taken));
  }
  return medians;
}

/** What was claimed is given back outside the time. */
async function claimOnce(db: Database): Promise<number> {
  const claimedBy = 'bench';
  const kinds = [{ kind: 'word', limit: CLAIM, maxFailures: 5 }];
  const startedAt = performance.now();
  const [{ claims }] = (await claimEvents(db, { claimedBy, leaseMs: LEASE_MS, kinds })) as [KindClaims];
  const takenMs = performance.now() - startedAt;
  if (claims.length !== CLAIM) throw new Error(`claimed ${claims.length} instead of ${CLAIM}`);
  await giveBackEvents(db, { claimedBy, claims: claims.map((claim) => ({ ...claim, outcome: 'released' })) });
  return takenMs;
}
