import type { Hono } from 'hono';
import { generateSpecs, uniqueSymbol } from 'hono-openapi';
import type { RequestVariables } from '../http/request-log.ts';
import { eventRoutes } from './event-routes.ts';
import { operatorRoutes } from './operator-routes.ts';
import type { RouteDescriptions } from './parts.ts';
import { probeRoutes } from './probe-routes.ts';

const routes: RouteDescriptions = { ...eventRoutes, ...operatorRoutes, ...probeRoutes };
const bearer = { type: 'http', scheme: 'bearer' } as const;

const info = {
  title: 'Event queue on MySQL',
  version: '1.0.0',
  description:
    'Events are inserted into MySQL and filled by consumers. create-sync waits for that, create-async does not. ' +
    'Errors are RFC 9457 problem documents; each answer carries an X-Request-Id.',
  license: { name: 'MIT', identifier: 'MIT' },
};

/**
 * The OpenAPI document of the app's routes, and of the tokens that they ask for. The descriptions are tied to the handlers
 * here: describeRoute would be one more middleware for each request.
 */
export function createDocument(app: Hono<RequestVariables>, asked: { token: boolean; operator: boolean }) {
  for (const { method, path, handler } of app.routes) {
    const spec = routes[`${method} ${path}` as keyof RouteDescriptions];
    if (spec) Object.assign(handler, { [uniqueSymbol]: { spec } });
  }
  const securitySchemes = { ...(asked.token && { token: bearer }), ...(asked.operator && { operator: bearer }) };
  return generateSpecs(app, {
    documentation: {
      openapi: '3.1.0',
      info,
      tags: [{ name: 'events' }, { name: 'operator' }, { name: 'probes' }],
      components: { securitySchemes },
      security: asked.token ? [{ token: [] }] : [],
    },
  });
}
