import { json, problem, type RouteDescriptions, serverFault } from './parts.ts';
import { healthSchema } from './schemas.ts';

// For everybody, also where the other routes ask for a token.
const open = { tags: ['probes'], security: [] };

export const probeRoutes = {
  'GET /livez': { ...open, summary: 'Whether the process runs', responses: { 200: json('It does', healthSchema) } },
  'GET /readyz': {
    ...open,
    summary: 'Whether requests can be served: the database answers and the producer is not shutting down',
    responses: { 200: json('They can', healthSchema), ...serverFault, 503: problem('They cannot') },
  },
} satisfies RouteDescriptions;
