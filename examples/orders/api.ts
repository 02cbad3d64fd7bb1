import { type Context, Hono } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { describeRoute, validator } from 'hono-openapi';
import { z } from 'zod';
import type { Database } from '../../index.ts';
import { readDead, readLog } from './attempts.ts';
import { insertOrders, runProcess, type Source, updateProcess } from './source.ts';

const count = z.int().min(0).max(10_000);
const insertSchema = z.object({ positive_inserts: count, negative_inserts: count });
const pageSchema = z.object({ after: z.coerce.number().int().min(0).default(0) });

interface ApiDeps {
  source: Source;
  /** Of the queue. */
  db: Database;
  dueAfterMs: number;
}

export function createApi({ source, db, dueAfterMs }: ApiDeps): Hono {
  const app = new Hono();
  const say = (c: Context, what: string) => c.json({ [`System ${source.system}`]: what });

  app.post(
    '/v0/insert-data',
    answers({ 201: 'inserted', 422: 'malformed' }),
    validator('json', insertSchema, refuseMalformed),
    async (c) => {
      const asked = c.req.valid('json');
      await insertOrders(source, { positive: asked.positive_inserts, negative: asked.negative_inserts });
      return c.json(asked, 201);
    },
  );

  app.post(
    '/v0/process/run',
    answers({ 200: 'queued', 409: 'blocked by ERROR', 500: 'ERROR from now on' }),
    async (c) => {
      const outcome = await runProcess(source, dueAfterMs);
      if (outcome === 'queued') return say(c, 'Running process');
      return toProblem(c, 409, 'the last run has failed; correct why, and POST /v0/process/unblock');
    },
  );

  app.post('/v0/process/clear', answers({ 200: 'the cursor starts again' }), async (c) => {
    await updateProcess(source, { last_id: 0 });
    return say(c, 'Cleared');
  });

  app.post('/v0/process/unblock', answers({ 200: 'runs are possible again' }), async (c) => {
    await updateProcess(source, { status: 'READY' });
    return say(c, 'Unblocked');
  });

  app.get('/log/:message_id', answers({ 200: 'its attempts', 404: 'unknown, or forgotten' }), async (c) => {
    const lines = await readLog(db, c.req.param('message_id'));
    return lines.length > 0 ? c.json(lines) : c.notFound();
  });

  app.get(
    '/dead',
    answers({ 200: 'the first 100 dead messages past `after`', 422: 'malformed' }),
    validator('query', pageSchema, refuseMalformed),
    async (c) => c.json(await readDead(db, c.req.valid('query').after)),
  );

  app.notFound((c) => toProblem(c, 404, 'there is nothing here'));
  app.onError((error, c) => {
    if (error instanceof HTTPException) return toProblem(c, 422, error.message);
    console.error(error);
    return toProblem(c, 500, error.message);
  });
  return app;
}

/** For /docs. */
function answers(meanings: Record<number, string>) {
  const entries = Object.entries(meanings).map(([status, description]) => [status, { description }]);
  return describeRoute({ responses: Object.fromEntries(entries) });
}

function refuseMalformed(result: { success: boolean }, c: Context): Response | undefined {
  return result.success ? undefined : toProblem(c, 422, 'malformed; /docs says what is expected');
}

/** RFC 9457. */
function toProblem(c: Context, status: 404 | 409 | 422 | 500, detail: string): Response {
  return c.json({ status, detail }, status, { 'Content-Type': 'application/problem+json' });
}
