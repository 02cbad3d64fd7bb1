import { setTimeout as sleep } from 'node:timers/promises';
import { Hono } from 'hono';
import { z } from 'zod';
import { createConcurrencyLimit, createWindowLimit } from './limits.ts';

export interface ProcessorOptions {
  /** Payments worked on at once. @default 800 */
  atOnce?: number;
  /** Payments that wait for their turn; a further one is answered 429. @default 500 */
  queued?: number;
  /** One call of service-health is answered in so many ms. @default 5_000 */
  healthWindowMs?: number;
}

const payment = z.object({
  correlationId: z.uuid(),
  amount: z.number().positive(),
  // Who misspells it is not told: the payment is stored as of year 1.
  requestedAt: z.iso.datetime({ offset: true }).default('0001-01-01T00:00:00.000Z'),
});
const range = z.object({
  from: z.iso.datetime({ offset: true }).optional(),
  to: z.iso.datetime({ offset: true }).optional(),
});
const delaySetting = z.object({ delay: z.int().min(0) });
const failureSetting = z.object({ failure: z.boolean() });

/** A payment processor that is as slow and as unreliable as it is told to be. It keeps what it was paid in memory. */
export function createProcessor({ atOnce = 800, queued = 500, healthWindowMs = 5_000 }: ProcessorOptions = {}): Hono {
  const paid = new Map<string, z.infer<typeof payment>>();
  const limitPayments = createConcurrencyLimit({ atOnce, queued });
  const limitHealth = createWindowLimit({ windowMs: healthWindowMs, queued: 2 });
  let delayMs = 0;
  let isFailing = false;
  const app = new Hono();

  app.post('/payments', async (c) => {
    const asked = payment.parse(await c.req.json());
    const pay = async () => {
      // Nobody looks whether the caller is still there: it may have left, and its payment is made all the same.
      await sleep(delayMs);
      if (isFailing) return c.body(null, 500);
      if (paid.has(asked.correlationId)) return c.json({ message: 'this payment is known already' }, 422);
      paid.set(asked.correlationId, asked);
      return c.json({ message: 'payment processed successfully' });
    };
    return (await limitPayments(pay)) ?? c.body(null, 429, { 'Retry-After': '5' });
  });

  app.get('/payments/service-health', async (c) => {
    if (!(await limitHealth())) return c.body(null, 429, { 'Retry-After': '5' });
    return c.json({ failing: isFailing, minResponseTime: delayMs });
  });

  app.get('/payments/:id', (c) => {
    const found = paid.get(c.req.param('id'));
    return found ? c.json(found) : c.json({ message: 'there is no such payment' }, 404);
  });

  app.get('/admin/payments-summary', (c) => {
    const { from, to } = range.parse(c.req.query());
    const [first, last] = [from ? Date.parse(from) : -Infinity, to ? Date.parse(to) : Infinity];
    const inRange = paid.values().filter(({ requestedAt }) => {
      const at = Date.parse(requestedAt);
      return first <= at && at <= last;
    });
    const cents = inRange.map(({ amount }) => Math.round(amount * 100)).toArray();
    return c.json({ totalRequests: cents.length, totalAmount: cents.reduce((sum, each) => sum + each, 0) / 100 });
  });

  app.put('/admin/configurations/delay', async (c) => {
    delayMs = delaySetting.parse(await c.req.json()).delay;
    return c.json({ delay: delayMs });
  });

  app.put('/admin/configurations/failure', async (c) => {
    isFailing = failureSetting.parse(await c.req.json()).failure;
    return c.json({ failure: isFailing });
  });

  app.post('/admin/purge-payments', (c) => {
    paid.clear();
    return c.json({ message: 'all payments purged' });
  });

  app.onError((error, c) => c.json({ message: error.message }, 500));
  return app;
}
