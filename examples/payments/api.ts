import { Hono } from 'hono';
import { sql } from 'kysely';
import { z } from 'zod';
import type { Database, Producer } from '../../index.ts';
import { paymentSchema, sumPayments } from './payments.ts';

const instant = z.iso.datetime({ offset: true }).pipe(z.coerce.date());
const rangeSchema = z.object({
  from: instant.default(new Date('1970-01-01T00:00:00Z')),
  to: instant.default(new Date('9999-12-31T23:59:59.999Z')),
});

export function createApi(db: Database, { create }: Pick<Producer, 'create'>): Hono {
  const app = new Hono();

  app.post('/payments', async (c) => {
    const { data } = paymentSchema.safeParse(await c.req.json().catch(() => undefined));
    if (!data) return c.body(null, 422);
    // Events of one key are handled one after the other, so a payment that is sent twice finds its own row.
    await create([{ kind: 'payment', key: data.correlationId, payload: data }]);
    return c.body(null, 202);
  });

  app.get('/payments-summary', async (c) => {
    const { data } = rangeSchema.safeParse(c.req.query());
    return data ? c.json(await sumPayments(db, data.from, data.to)) : c.body(null, 422);
  });

  app.post('/purge-payments', async (c) => {
    await sql`DELETE FROM payments`.execute(db);
    return c.body(null, 204);
  });

  // The database is away, or answers too late: the client sends it again, with the same correlationId.
  app.onError((error, c) => c.json({ message: error.message }, 503, { 'Retry-After': '1' }));
  return app;
}
