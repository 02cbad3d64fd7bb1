import { randomUUID } from 'node:crypto';
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { type BodyLimits, SMALL_BODY } from './body.ts';
import { problemDocument } from './problem.ts';

export const MAX_HEADER_BYTES = 16_384;

/** What is refused before any route sees it, because HTTP does not allow it or it did not arrive. */
const DETAILS = {
  400: 'This is not valid HTTP/1.1. A request has one Host, no folded headers, and a Content-Length or chunks, not both.',
  405: 'CONNECT is not possible here: this is not a proxy.',
  408: 'The request did not arrive whole in time.',
  413: 'The extensions of all chunks have at most 16384 bytes.',
  417: 'The only expectation that can be met is 100-continue.',
  431: `The headers of a request have at most ${MAX_HEADER_BYTES} bytes.`,
  501: 'The only transfer coding that is understood is chunked.',
  505: 'Only HTTP/1.1 and HTTP/1.0 are spoken here.',
};

export type RefusedStatus = keyof typeof DETAILS;

export interface Refusal {
  status: RefusedStatus;
  /** @default what is always said with this status */
  detail?: string;
  /** The rest of the request is read, and the connection is kept. @default false */
  readsOn?: boolean;
}

/**
 * Why a request with a whole head is refused, if it is (RFC 9112, sections 2.3, 3.2, 6). Two Hosts arrive joined by a
 * comma, which is no host: node-server refuses them.
 */
export function refusalOf(request: IncomingMessage, limits: BodyLimits): Refusal | undefined {
  const { httpVersion, headers, url = '' } = request;
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return { status: 505 };
  if (httpVersion === '1.1' && !headers.host) return { status: 400 };
  const coding = headers['transfer-encoding'];
  if (coding !== undefined && httpVersion === '1.0') return { status: 400 }; // an old proxy on the way may see no chunks in it
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') return { status: 501 };
  const length = Number(headers['content-length'] ?? 0);
  if (length <= SMALL_BODY.maxBytes) return undefined;
  const own = limits[URL.parse(url, 'http://localhost')?.pathname ?? ''];
  const { maxBytes, detail } = own ?? SMALL_BODY;
  if (length <= maxBytes) return undefined;
  // nginx lets so much through, and would take a connection that is closed meanwhile for a fault of ours.
  const isWithinSome = Object.values(limits).some((limit) => length <= limit.maxBytes);
  return { status: 413, detail, readsOn: own !== undefined && isWithinSome && headers.expect === undefined };
}

const STATUS_OF: Partial<Record<string, RefusedStatus>> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};

/** What is wrong with a request that the parser or a time limit gave up; undefined if its client has left. */
export function refusalOfError({ code = '' }: NodeJS.ErrnoException): RefusedStatus | undefined {
  const hasLeft = code === 'ECONNRESET' || code === 'EPIPE' || code === 'HPE_INVALID_EOF_STATE';
  return hasLeft ? undefined : (STATUS_OF[code] ?? 400);
}

/** A whole problem document. The connection ends with it, as a rule: where the next request begins is no longer certain. */
export function refusalDocument({ status, detail = DETAILS[status], readsOn = false }: Refusal): {
  body: string;
  headers: Record<string, string>;
} {
  const requestId = randomUUID();
  const body = JSON.stringify(problemDocument({ status, detail }, requestId));
  const headers = {
    'Content-Type': 'application/problem+json',
    'Content-Length': String(Buffer.byteLength(body)),
    'X-Request-Id': requestId,
    ...(!readsOn && { Connection: 'close' }),
    ...(status === 405 ? { Allow: '' } : {}), // the target of CONNECT has no methods at all
  };
  return { body, headers };
}

export function refuse(response: ServerResponse, refusal: Refusal): void {
  const { body, headers } = refusalDocument(refusal);
  response.writeHead(refusal.status, headers).end(body);
}

/** Refuses where there is no response to do it with, and ends the connection. */
export function refuseOnSocket(socket: Duplex, status: RefusedStatus): void {
  if (!socket.writable) return void socket.destroy();
  const { body, headers } = refusalDocument({ status });
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`, () => socket.destroy());
}
