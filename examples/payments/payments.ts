import { sql } from 'kysely';
import { z } from 'zod';
import type { UserTransaction } from '../../index.ts';

/** What a client sends, and what the event carries. */
export const paymentSchema = z.object({
  correlationId: z.uuid().toLowerCase(),
  amount: z.number().positive().max(1_000_000_000).multipleOf(0.01),
});

/** A payment as its processor keeps it. */
export type Receipt = z.infer<typeof paymentSchema> & { requestedAt: string };

export type ProcessorName = 'default' | 'fallback';

export async function isRecorded(db: UserTransaction, id: string): Promise<boolean> {
  return (await sql`SELECT 1 FROM payments WHERE correlation_id = ${id}`.execute(db)).rows.length > 0;
}

export async function recordPayment(trx: UserTransaction, processor: ProcessorName, receipt: Receipt): Promise<void> {
  const { correlationId, amount, requestedAt } = receipt;
  await sql`INSERT INTO payments (correlation_id, processor, cents, requested_at)
    VALUES (${correlationId}, ${processor}, ${Math.round(amount * 100)}, ${new Date(requestedAt)})`.execute(trx);
}

/** What each processor was paid that was requested between two moments, both included. */
export async function sumPayments(db: UserTransaction, from: Date, to: Date) {
  const { rows } = await sql<{ processor: ProcessorName; requests: number; cents: string }>`
    SELECT processor, COUNT(*) AS requests, SUM(cents) AS cents FROM payments
    WHERE requested_at BETWEEN ${from} AND ${to} GROUP BY processor`.execute(db);
  const totalsOf = (name: ProcessorName) => {
    const { requests = 0, cents = 0 } = rows.find(({ processor }) => processor === name) ?? {};
    return { totalRequests: requests, totalAmount: Number(cents) / 100 };
  };
  return { default: totalsOf('default'), fallback: totalsOf('fallback') };
}
