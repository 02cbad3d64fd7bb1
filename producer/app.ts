import { Hono } from 'hono';
import { allowOrigins } from './http/cors.ts';
import { Problem, sendProblem } from './http/problem.ts';
import { logRequests, type RequestLogDeps, type RequestVariables } from './http/request-log.ts';
import { requireToken } from './http/tokens.ts';
import { addDocs } from './routes/docs.ts';
import { addEventRoutes, type EventRouteDeps } from './routes/events.ts';
import { addOperatorRoutes, type OperatorRouteDeps } from './routes/operator.ts';
import { addProbes, type ProbeDeps } from './routes/probes.ts';
import { toProblem } from './to-problem.ts';

export interface AppDeps extends RequestLogDeps, ProbeDeps, EventRouteDeps, OperatorRouteDeps {
  /** SHA-256 hashes of the tokens that callers need, in hex. Without any, they need none. */
  apiTokens: readonly string[];
  /** Whose pages browsers let call us. */
  corsOrigins: readonly string[];
}

// Probes have no token, and the page for people cannot show what it may not read.
const isOpen = (path: string) => /^\/(livez|readyz|openapi\.json|docs(\/.*)?)$/.test(path);

/** All routes of a producer. It knows neither the database nor the server: both come in as arguments. */
export function createApp(deps: AppDeps): Hono<RequestVariables> {
  const { log, apiTokens, operatorTokens, corsOrigins } = deps;
  const app = new Hono<RequestVariables>();

  app.use(logRequests(deps));
  app.onError((error, c) => {
    const problem = toProblem(error);
    if (problem !== error) log.error({ requestId: c.get('requestId'), err: error }, 'request failed');
    return sendProblem(c, problem);
  });
  app.notFound((c) =>
    sendProblem(c, new Problem({ status: 404, detail: 'There is nothing at this path. /docs shows what there is.' })),
  );

  if (corsOrigins.length > 0) app.use(allowOrigins(corsOrigins));
  if (operatorTokens.length > 0) addOperatorRoutes(app, deps);
  if (apiTokens.length > 0) app.use(requireToken(apiTokens, isOpen));
  addProbes(app, deps);
  addDocs(app, { token: apiTokens.length > 0, operator: operatorTokens.length > 0 });
  addEventRoutes(app, deps);
  return app;
}
