import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, Server as NetServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';
import type { RequestVariables } from './request-log.ts';

// nginx lets its idle connections go after 3 s; ours live longer, so that it never sends a request into a closing one.
const KEEP_ALIVE_MS = 65_000;
// From the end of listening; longer than nginx's `keepalive_timeout` to the producers.
const LET_GO_MS = 4_000;

/** Listens, and resolves to the server when it does. A port in use rejects with a sentence. */
export async function listen(app: Hono<RequestVariables>, port: number, host: string): Promise<Server> {
  const respond = getRequestListener(app.fetch, {
    errorHandler: () => new Response(...unreadable(400, 'Bad Request')),
  });
  const server = createServer(
    { keepAliveTimeout: KEEP_ALIVE_MS, headersTimeout: KEEP_ALIVE_MS + 1_000, maxHeaderSize: 16_384 },
    (request, response) => void respond(request, response),
  );
  server.on('clientError', answerUnreadable);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const sentence = error.code === 'EADDRINUSE' ? `port ${port} is in use; choose another with PORT` : error.message;
      reject(new Error(sentence, { cause: error }));
    });
    server.listen({ port, host, backlog: 4_096 }, resolve);
  });
  return server;
}

/** For what no route ever sees, because it is not a request that HTTP allows. */
function unreadable(
  status: number,
  title: string,
): [body: string, init: { status: number; headers: Record<string, string> }] {
  const detail = 'This is not an HTTP request that can be answered.';
  const body = JSON.stringify({ type: 'about:blank', title, status, detail, requestId: randomUUID() });
  return [body, { status, headers: { 'Content-Type': 'application/problem+json' } }];
}

function answerUnreadable(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy();
  const isTooLarge = error.code === 'HPE_HEADER_OVERFLOW';
  const status = isTooLarge ? 431 : 400;
  const title = isTooLarge ? 'Request Header Fields Too Large' : 'Bad Request';
  const [body, { headers }] = unreadable(status, title);
  socket.end(
    `HTTP/1.1 ${status} ${title}\r\nContent-Type: ${headers['Content-Type']}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

export function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

/**
 * Takes no new connections and resolves when the last one is gone, or after `graceMs`. The answers from now on must say
 * `Connection: close`.
 *
 * Idle connections are first left to those who opened them. Were we to close one while nginx sends a POST into it, that
 * POST would be lost, and may not be sent again. A connection that is refused, however, is tried on the next producer.
 */
export async function closeServer(server: Server, graceMs: number): Promise<void> {
  // The server's own close() would close the idle connections, too.
  const closed = new Promise<void>((resolve) => NetServer.prototype.close.call(server, () => resolve()));
  const letGo = setTimeout(() => server.closeIdleConnections(), LET_GO_MS);
  const limit = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearTimeout(letGo);
  clearTimeout(limit);
}
