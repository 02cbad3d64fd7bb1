import { randomUUID } from 'node:crypto';
import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { MAX_BODY_BYTES } from './body.ts';

/** What is refused before any route sees it, because HTTP does not allow it or it did not arrive. */
const DETAILS = {
  400: 'This is not an HTTP request that can be answered.',
  405: 'CONNECT is not possible here.',
  408: 'The request took too long to arrive.',
  413: `A body has at most ${MAX_BODY_BYTES} bytes.`,
  417: 'The only expectation that can be met is 100-continue.',
  431: 'The headers of a request have at most 16 kB.',
  501: 'The only transfer coding that is understood is chunked.',
  505: 'Only HTTP/1.1 and HTTP/1.0 are spoken here.',
};

export type RefusedStatus = keyof typeof DETAILS;

// RFC 9110 renamed one of them.
const TITLES: typeof STATUS_CODES = { ...STATUS_CODES, 413: 'Content Too Large' };

/** Why a request whose head was parsed is not let through to the routes, if it is not (RFC 9112, sections 2.3, 3.2, 6). */
export function refusalOf({ httpVersion, headers, rawHeaders }: IncomingMessage): RefusedStatus | undefined {
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return 505;
  if (!hasOneHost(rawHeaders, httpVersion)) return 400;
  const coding = headers['transfer-encoding'];
  if (coding !== undefined && httpVersion === '1.0') return 400; // an old proxy on the way may see no chunks in it
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') return 501;
  return Number(headers['content-length'] ?? 0) > MAX_BODY_BYTES ? 413 : undefined;
}

/** Of two, a proxy before us may have read the other one. Node passes over all but the first. */
function hasOneHost(rawHeaders: string[], httpVersion: string): boolean {
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!;
    if (name.length !== 4 || name.toLowerCase() !== 'host') continue;
    if (rawHeaders[i + 1] === '') return false;
    hosts++;
  }
  return hosts === 1 || (hosts === 0 && httpVersion === '1.0');
}

/** The whole problem document. The connection ends with it: where the next request begins is no longer certain. */
export function refuse(status: RefusedStatus): { body: string; headers: Record<string, string> } {
  const requestId = randomUUID();
  const title = TITLES[status];
  const body = JSON.stringify({ type: 'about:blank', title, status, detail: DETAILS[status], requestId });
  const headers = {
    'Content-Type': 'application/problem+json',
    'Content-Length': String(Buffer.byteLength(body)),
    'X-Request-Id': requestId,
    Connection: 'close',
    ...(status === 405 ? { Allow: '' } : {}), // the target of CONNECT has no methods at all
  };
  return { body, headers };
}

const REFUSED_FOR: Partial<Record<string, RefusedStatus>> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};

/** What to say to a socket on which the parser, or a time limit, gave up; undefined: nobody is there any more. */
export function refusalOfError({ code = '' }: NodeJS.ErrnoException): RefusedStatus | undefined {
  return code === 'ECONNRESET' || code === 'EPIPE' ? undefined : (REFUSED_FOR[code] ?? 400);
}

/** Whether the client ended its side in the middle of a request. */
export function hasLeft({ code }: NodeJS.ErrnoException): boolean {
  return code === 'HPE_INVALID_EOF_STATE';
}

/** Refuses where there is no response to do it with, and ends the connection. */
export function refuseOnSocket(socket: Duplex, status: RefusedStatus | undefined): void {
  if (status === undefined || !socket.writable) return void socket.destroy();
  const { body, headers } = refuse(status);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${TITLES[status]}\r\n${lines.join('')}\r\n${body}`, () => socket.destroy());
}
