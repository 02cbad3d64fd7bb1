import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';
import type { RequestVariables } from './request-log.ts';

// nginx keeps idle connections for 60 s; ours live longer, so that it never sends a request into a closing one.
const KEEP_ALIVE_MS = 65_000;

/** Listens, and resolves to the server when it does. A port in use rejects with a sentence. */
export async function listen(app: Hono<RequestVariables>, port: number, host: string): Promise<Server> {
  const respond = getRequestListener(app.fetch);
  const server = createServer(
    { keepAliveTimeout: KEEP_ALIVE_MS, headersTimeout: KEEP_ALIVE_MS + 1_000, maxHeaderSize: 16_384 },
    (request, response) => void respond(request, response),
  );
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const sentence = error.code === 'EADDRINUSE' ? `port ${port} is in use; choose another with PORT` : error.message;
      reject(new Error(sentence, { cause: error }));
    });
    server.listen({ port, host, backlog: 4_096 }, resolve);
  });
  return server;
}

export function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

/** Takes no new connections and resolves when the last request is answered, or after `graceMs`. */
export async function closeServer(server: Server, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  const limit = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearTimeout(limit);
}
