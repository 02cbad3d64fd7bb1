import { sql } from 'kysely';
import type { UserTransaction } from '../../index.ts';
import type { ProcessorName } from './payments.ts';
import type { Processor } from './processors.ts';

// What a process has read is good for so long.
const LOOK_MS = 250;
// A processor answers one call in 5 s. What was sent 5 s apart may arrive a little closer.
const isDue = sql`asked_at < UTC_TIMESTAMP(3) - INTERVAL 5200000 MICROSECOND`;
// The fallback takes three times the fee: it must be so much faster to be worth it.
const FEE_MS = 500;

/** Tells which processors are well, the better one first. All processes share what one of them has asked. */
export function createHealth(db: UserTransaction, processors: Record<ProcessorName, Processor>) {
  let lookedAt = -Infinity;
  let latest: Promise<Processor[]>;
  const look = async () => {
    const { rows } = await sql<{ processor: ProcessorName; failing: number; due: number }>`
      SELECT processor, failing, ${isDue} AS due FROM processor_health
      ORDER BY min_response_ms + IF(processor = 'fallback', ${FEE_MS}, 0)`.execute(db);
    for (const { processor, due } of rows) {
      if (due) ask(db, processors[processor]).catch(() => {}); // it is due again soon
    }
    return rows.filter(({ failing }) => !failing).map(({ processor }) => processors[processor]);
  };
  return (): Promise<Processor[]> => {
    if (performance.now() - lookedAt > LOOK_MS) {
      lookedAt = performance.now();
      latest = look();
    }
    return latest;
  };
}

/** Only the process whose update finds the row due asks. If it dies meanwhile, another one asks when it is due again. */
async function ask(db: UserTransaction, processor: Processor): Promise<void> {
  const { numAffectedRows } = await sql`UPDATE processor_health SET asked_at = UTC_TIMESTAMP(3)
    WHERE processor = ${processor.name} AND ${isDue}`.execute(db);
  if (numAffectedRows !== 1n) return;
  const answer = await processor.health().catch(() => ({ failing: true, minResponseTime: 0 }));
  if (!answer) return;
  await sql`UPDATE processor_health SET failing = ${answer.failing}, min_response_ms = ${answer.minResponseTime}
    WHERE processor = ${processor.name}`.execute(db);
}
