import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, Server as NetServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';
import { whyNotListening } from '../../process/listen-error.ts';
import { hasLeft, type RefusedStatus, refusalOf, refusalOfError, refuse, refuseOnSocket } from './malformed-request.ts';
import type { RequestVariables } from './request-log.ts';

export interface ServerLimits {
  /** Most connections at once; a further one is closed unanswered. Default: none. */
  connections?: number | undefined;
  /** For a request to arrive whole, then 408; how long its answer takes is another matter. Default 10,000. */
  receiveMs?: number | undefined;
  /** How long an idle connection is kept. Default 65,000: nginx lets go first, see its `keepalive_timeout`. */
  keepAliveMs?: number | undefined;
}

// From the end of listening; longer than nginx's `keepalive_timeout` to the producers.
const LET_GO_MS = 4_000;
// For those who have connected and wait to be accepted: as many as `backlog`, each with a request to answer.
const ACCEPT_MS = 3_000;

/** Listens, and resolves to the server when it does. A port in use rejects with a sentence. */
export async function listen(
  app: Hono<RequestVariables>,
  port: number,
  host: string,
  { connections, receiveMs = 10_000, keepAliveMs = 65_000 }: ServerLimits = {},
): Promise<Server> {
  const server = createServer({
    keepAliveTimeout: keepAliveMs,
    headersTimeout: receiveMs,
    requestTimeout: receiveMs,
    connectionsCheckingInterval: receiveMs / 10,
    maxHeaderSize: 16_384,
    requireHostHeader: false, // Node would answer without a document; refusalOf looks more closely
    // Notices a caller whose machine is gone, however long the answer is waited for.
    keepAlive: true,
    keepAliveInitialDelay: 60_000,
  });
  server.maxHeadersCount = 0; // beyond 2,000 Node would pass over the rest unsaid; their bytes are limited
  if (connections !== undefined) server.maxConnections = connections;
  answerRequests(server, app);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      const variables = { portVariable: 'PORT', hostVariable: 'HOST' };
      reject(new Error(whyNotListening(cause, { port, host, ...variables }), { cause }));
    });
    server.listen({ port, host, backlog: 4_096 }, resolve);
  });
  return server;
}

function answerRequests(server: Server, app: Hono<RequestVariables>): void {
  const respond = getRequestListener(app.fetch, {
    hostname: 'localhost', // HTTP/1.0 does without a Host
    errorHandler: () => {
      const { body, headers } = refuse(400);
      return new Response(body, { status: 400, headers });
    },
  });
  const newest = new WeakMap<Duplex, Exchange>();

  const answer = (request: IncomingMessage, response: ServerResponse) => {
    const before = newest.get(request.socket)?.response;
    newest.set(request.socket, { request, response, before: before?.closed ? undefined : before });
    const refused = refusalOf(request);
    if (refused) return sendRefusal(response, refused);
    // What follows an Upgrade in the same packet is lost on Node's parser, so nothing may follow.
    if (request.headers.upgrade !== undefined) response.shouldKeepAlive = false;
    void respond(request, response);
  };

  server.on('request', answer);
  server.on('checkContinue', (request, response) => {
    if (!refusalOf(request)) response.writeContinue();
    answer(request, response);
  });
  server.on('checkExpectation', (_, response: ServerResponse) => sendRefusal(response, 417));
  server.on('connect', (_, socket) => refuseOnSocket(socket, 405));
  server.on('clientError', (error, socket) => {
    const refused = refusalOfError(error);
    const exchange = newest.get(socket);
    if (refused && exchange && isAnswered(exchange)) return void socket.end(() => socket.destroy());
    // Said before its turn, a refusal would be taken for the answer to another request.
    const unanswered = refused && answerBefore(exchange);
    // Who leaves in the middle of the next request does not wait for the answer to the last one either.
    if (unanswered && hasLeft(error)) socket.destroy();
    else if (unanswered) unanswered.once('close', () => refuseOnSocket(socket, refused));
    else refuseOnSocket(socket, refused);
  });
}

/** A connection's newest request, and the response to the one before unless that is through. */
interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  before: ServerResponse | undefined;
}

/** What went wrong came after the answer: in the rest of a body that nobody wanted to read. */
function isAnswered({ request, response }: Exchange): boolean {
  return !request.complete && response.headersSent;
}

/** The newest response to a request that arrived whole, if it is still under way; responses go out in order. */
function answerBefore(exchange: Exchange | undefined): ServerResponse | undefined {
  const last = exchange?.request.complete ? exchange.response : exchange?.before;
  return last && !last.closed ? last : undefined;
}

function sendRefusal(response: ServerResponse, status: RefusedStatus): void {
  const { body, headers } = refuse(status);
  response.writeHead(status, headers).end(body);
}

export function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

/**
 * Takes no new connections and resolves when the last one is gone, or after `graceMs`. The answers from now on must say
 * `Connection: close`.
 *
 * Whoever has connected already is served. The kernel resets what is not accepted when we stop listening, and a POST on
 * such a connection may not be sent again, for nginx cannot tell it from one that was read. So listening ends when nobody
 * waits, or after three seconds in which somebody always did; who connects at that very moment is reset all the same.
 *
 * Idle connections are first left to those who opened them. Were we to close one while nginx sends a POST into it, that
 * POST would be lost, and may not be sent again. A connection that is refused, however, is tried on the next producer.
 */
export async function closeServer(server: Server, graceMs: number): Promise<void> {
  const endsAt = performance.now() + graceMs;
  await acceptThoseWaiting(server, Math.min(ACCEPT_MS, graceMs));
  // The server's own close() would close the idle connections, too.
  const closed = new Promise<void>((resolve) => NetServer.prototype.close.call(server, () => resolve()));
  const letGo = setTimeout(() => server.closeIdleConnections(), LET_GO_MS);
  const limit = setTimeout(() => server.closeAllConnections(), Math.max(0, endsAt - performance.now()));
  await closed;
  clearTimeout(letGo);
  clearTimeout(limit);
}

/** Node accepts one connection each turn of the event loop. */
async function acceptThoseWaiting(server: Server, limitMs: number): Promise<void> {
  let quietTurns = 0;
  const onConnection = () => {
    quietTurns = 0;
  };
  server.on('connection', onConnection);
  const giveUpAt = performance.now() + limitMs;
  while (quietTurns < 3 && performance.now() < giveUpAt) {
    quietTurns++;
    await setImmediate();
  }
  server.off('connection', onConnection);
}
