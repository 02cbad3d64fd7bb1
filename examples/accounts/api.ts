import { type Context, Hono } from 'hono';
import { type CreatedEvent, type Database, DatabaseError, type EventCreator, QueueFullError } from '../../index.ts';
import { transactionSchema } from './account.ts';
import type { Outcome } from './handlers.ts';
import { readStatement } from './statement.ts';

interface ApiDeps {
  db: Database;
  producer: Pick<EventCreator, 'createAndWait'>;
  /** How long a caller waits for its transaction. */
  waitMs: number;
}

/** It keeps nothing between two requests: what an account is, the tables say. */
export function createApi({ db, producer, waitMs }: ApiDeps): Hono {
  const app = new Hono();

  app.post('/clientes/:id{[1-9][0-9]{0,8}}/transacoes', async (c) => {
    const id = c.req.param('id');
    const { success, data: payload } = transactionSchema.safeParse(await c.req.json().catch(() => undefined));
    if (success)
      return toAnswer(c, await producer.createAndWait({ kind: 'transaction', key: id, payload }, { waitMs }));
    return (await readStatement(db, Number(id))) ? c.json({ error: 'malformed' }, 422) : c.notFound();
  });

  app.get('/clientes/:id{[1-9][0-9]{0,8}}/extrato', async (c) => {
    const statement = await readStatement(db, Number(c.req.param('id')));
    return statement ? c.json(statement) : c.notFound();
  });

  app.notFound((c) => c.json({ error: 'no such account' }, 404));
  app.onError((error, c) => {
    if (error instanceof QueueFullError) return toUnavailable(c, 'not applied');
    if (error instanceof DatabaseError) return toUnavailable(c, error.fault === 'unknown' ? 'unknown' : 'not applied');
    console.error(error);
    return c.json({ error: 'internal' }, 500);
  });
  return app;
}

function toAnswer(c: Context, event: CreatedEvent): Response | Promise<Response> {
  switch (event.status) {
    case 'filled': {
      const outcome = event.value as Outcome;
      if (!('refused' in outcome)) return c.json(outcome);
      return outcome.refused === 'limit' ? c.json({ error: outcome.refused }, 422) : c.notFound();
    }
    case 'dead':
      return toUnavailable(c, 'not applied');
    // Committed, and carried out some time: who sends it again may have it twice.
    case 'open':
    case 'gone':
      return toUnavailable(c, 'unknown');
  }
}

function toUnavailable(c: Context, outcome: 'unknown' | 'not applied'): Response {
  return c.json({ error: 'unavailable', outcome }, 503);
}
