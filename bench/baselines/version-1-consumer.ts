import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { connectDatabase } from '../../database/connect.ts';
import type { HandlerEvent } from '../../handlers/handler.ts';
import { createWordHandler } from '../../handlers/words.ts';

/** Version 1's consumer, as far as a drain of words needs it: the same claims, fills, numbers and words. */
const BATCH = 1_000;
const CONCURRENCY = 2;
const LEASE_MS = 30_000;
const POLL_MS = 100;
const LOOK_AT_ALL_MS = 1_000;
const LOOK_AT_ALL_SHARE = 0.1;
const EVER = new Date(1_000);

type Claim = [id: number, attempt: number];

const { DATABASE_URL = '', WORD_SERVICE_URL: url = '' } = process.env;
const db = connectDatabase({ url: DATABASE_URL, statementTimeoutMs: 600_000 });
const { handleBatch } = createWordHandler({ url });
const context = { signal: new AbortController().signal, installationId: '' };
const consumer = `version-1.${process.pid}.abcdef`;
let since = EVER;
let lookAtAllAt = 0;

const running = new Set<Promise<void>>();
for (let claimed = 1; ; claimed++) {
  if (running.size === CONCURRENCY) await Promise.race(running);
  const claimedBy = `${consumer}/${claimed}`;
  const claims = await claim(claimedBy);
  if (claims.length === 0) {
    await sleep(POLL_MS);
    continue;
  }
  const work = fill(claimedBy, claims).finally(() => running.delete(work));
  running.add(work);
  if (claims.length < BATCH) await Promise.race([work, sleep(POLL_MS)]);
}

/** From where the last claim ended, but once a second from the beginning. */
async function claim(claimedBy: string): Promise<Claim[]> {
  const startedAt = performance.now();
  const looksAtAll = startedAt >= lookAtAllAt;
  const { rows } = await sql<
    { claimed: string | null; next_since: Date }[]
  >`CALL claim_events(${claimedBy}, ${BATCH}, ${LEASE_MS}, ${looksAtAll ? EVER : since})`.execute(db);
  const { claimed, next_since } = rows[0]![0]!;
  since = next_since;
  const endedAt = performance.now();
  if (looksAtAll) lookAtAllAt = endedAt + Math.max(LOOK_AT_ALL_MS, (endedAt - startedAt) / LOOK_AT_ALL_SHARE);
  return (JSON.parse(claimed ?? '[]') as Claim[]).toSorted(([a], [b]) => a - b);
}

async function fill(claimedBy: string, claims: readonly Claim[]): Promise<void> {
  // The handler of words looks at their number alone.
  const words = await handleBatch(claims as unknown as HandlerEvent[], context);
  const fills = JSON.stringify(claims.map(([id, attempt], index) => [id, attempt, words[index]]));
  await sql`
    UPDATE JSON_TABLE(${fills}, '$[*]' COLUMNS (
      id BIGINT UNSIGNED PATH '$[0]', attempt INT UNSIGNED PATH '$[1]', valor VARCHAR(255) PATH '$[2]'
    )) AS made
    STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = made.id
    SET Events.valor = made.valor, Events.processing = 0, Events.filled_at = NOW(3), Events.last_error = NULL
    WHERE Events.open = 1 AND Events.claimed_by = ${claimedBy} AND Events.attempts = made.attempt
      AND Events.due_at > NOW(3) AND made.valor <> ''`.execute(db);
}
