import type { Hono } from 'hono';
import { answerJson } from '../http/answer.ts';
import { unavailable } from '../http/problem.ts';
import type { RequestVariables } from '../http/request-log.ts';

export interface ProbeDeps {
  /** Rejects with the reason if events cannot be created or read now. */
  checkReady: () => Promise<void>;
  isDraining: () => boolean;
}

export function addProbes(app: Hono<RequestVariables>, { checkReady, isDraining }: ProbeDeps): void {
  app.get('/livez', (c) => answerJson(c, 200, { status: 'live' }));

  app.get('/readyz', async (c) => {
    if (isDraining()) throw unavailable('This producer is shutting down.');
    await checkReady();
    return answerJson(c, 200, { status: 'ready' });
  });
}
