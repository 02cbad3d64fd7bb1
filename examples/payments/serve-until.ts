import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';

/** Serves the app on this port, or on a free one for 0, until `stopped`. Resolves when what is under way is answered. */
export async function serveUntil(stopped: Promise<unknown>, app: Hono, port: number): Promise<void> {
  const respond = getRequestListener(app.fetch);
  // Longer than nginx keeps an idle connection: a request must not meet a connection that is being closed.
  const server = createServer({ keepAliveTimeout: 65_000 }, (request, response) => {
    void respond(request, response);
  });
  server.listen({ port, host: '127.0.0.1', backlog: 4_096 });
  await once(server, 'listening');
  console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  await stopped;
  server.close();
  await once(server, 'close');
}
