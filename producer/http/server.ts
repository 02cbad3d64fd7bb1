import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';
import { whyNotListening } from '../../process/listen-error.ts';
import type { BodyLimits } from './body.ts';
import {
  MAX_HEADER_BYTES,
  refusalDocument,
  refusalOf,
  refusalOfError,
  refuse,
  refuseOnSocket,
} from './malformed-request.ts';
import type { RequestVariables } from './request-log.ts';

export interface ListenOptions {
  /** 0 takes a free one. @default 0 */
  port?: number | undefined;
  /** @default '127.0.0.1' */
  host?: string | undefined;
  /** Most connections at once; a further one is closed unanswered. @default no limit */
  connectionLimit?: number | undefined;
  /** A body that says it is larger is refused before it is read. @default 4,096 bytes for every path */
  bodyLimits?: BodyLimits | undefined;
  /** For a request to arrive whole, then 408; how long its answer takes is another matter. @default 10_000 */
  receiveMs?: number | undefined;
  /** How long an idle connection is kept. nginx lets go first, see its `keepalive_timeout`. @default 65_000 */
  keepAliveMs?: number | undefined;
}

/** Serves the app, and resolves to the server when it listens. A port in use rejects with a sentence. */
export async function listen(app: Hono<RequestVariables>, options: ListenOptions = {}): Promise<Server> {
  const { port = 0, host = '127.0.0.1', receiveMs = 10_000, keepAliveMs = 65_000 } = options;
  const { connectionLimit, bodyLimits = {} } = options;
  const server = createServer({
    keepAliveTimeout: keepAliveMs,
    headersTimeout: receiveMs,
    requestTimeout: receiveMs,
    connectionsCheckingInterval: receiveMs / 10,
    maxHeaderSize: MAX_HEADER_BYTES,
    requireHostHeader: false, // Node would answer without a document; refusalOf looks more closely
    joinDuplicateHeaders: true, // Node would pass over a second Host, which a proxy before us may have read
    // Notices a caller whose machine is gone, however long the answer is waited for.
    keepAlive: true,
    keepAliveInitialDelay: 60_000,
  });
  server.maxHeadersCount = 0; // beyond 2,000 Node would pass over the rest unsaid; their bytes are limited
  if (connectionLimit !== undefined) server.maxConnections = connectionLimit;
  answerRequests(server, app, bodyLimits);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      const variables = { portVariable: 'PORT', hostVariable: 'HOST' };
      reject(new Error(whyNotListening(cause, { port, host, ...variables }), { cause }));
    });
    server.listen({ port, host, backlog: 4_096 }, resolve);
  });
  return server;
}

export function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

function answerRequests(server: Server, app: Hono<RequestVariables>, limits: BodyLimits): void {
  const respond = getRequestListener(app.fetch, {
    hostname: 'localhost', // HTTP/1.0 does without a Host
    errorHandler: () => {
      const { body, headers } = refusalDocument({ status: 400 });
      return new Response(body, { status: 400, headers });
    },
  });
  const newest = new WeakMap<Duplex, Exchange>();

  const answer = (request: IncomingMessage, response: ServerResponse) => {
    newest.set(request.socket, { response, before: newest.get(request.socket)?.response });
    const refused = refusalOf(request, limits);
    if (refused) return refuse(response, refused);
    // What follows an Upgrade in the same packet is lost in Node's parser, so nothing may follow.
    if (request.headers.upgrade !== undefined) response.shouldKeepAlive = false;
    void respond(request, response);
  };

  server.on('request', answer);
  server.on('checkContinue', (request, response) => {
    if (!refusalOf(request, limits)) response.writeContinue();
    answer(request, response);
  });
  server.on('checkExpectation', (_, response: ServerResponse) => refuse(response, { status: 417 }));
  server.on('connect', (_, socket) => refuseOnSocket(socket, 405));
  server.on('clientError', (error, socket) => refuseBroken(error, socket, newest.get(socket)));
}

/** The newest response of a connection, and the one before it. */
interface Exchange {
  response: ServerResponse;
  before: ServerResponse | undefined;
}

/** Never before its turn: a refusal would be taken for the answer to another request. */
function refuseBroken(error: Error, socket: Duplex, newest: Exchange | undefined): void {
  const status = refusalOfError(error);
  if (status === undefined) return void socket.destroy();
  const refuseNow = () => refuseOnSocket(socket, status);
  if (!newest) refuseNow();
  else if (newest.response.req.complete) afterwards(newest.response, refuseNow);
  // The fault is in the body of this request: answered already, or behind another, or to be refused now.
  else if (newest.response.headersSent) socket.end(() => socket.destroy());
  else if (newest.before) afterwards(newest.before, refuseNow);
  else refuseNow();
}

function afterwards(response: ServerResponse, then: () => void): void {
  if (response.closed) then();
  else response.once('close', then);
}
