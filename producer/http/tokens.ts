import { hash, timingSafeEqual } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import { Problem } from './problem.ts';

/**
 * Lets only those requests pass that carry `Authorization: Bearer …` (RFC 6750) with a token whose SHA-256 is among
 * `hashes`, in hex; but all of those to open paths. The tokens themselves are nowhere on this side.
 */
export function requireToken(hashes: readonly string[], isOpen: (path: string) => boolean = () => false) {
  const known = hashes.map((hex) => Buffer.from(hex, 'hex'));
  const middleware: MiddlewareHandler = async (c, next) => {
    if (isOpen(c.req.path)) return next();
    const token = /^Bearer +([\w.~+/-]+=*) *$/i.exec(c.req.header('authorization') ?? '')?.[1];
    if (token === undefined) throw unauthorized('Bearer', 'This takes a token: Authorization: Bearer ….');
    if (!isKnown(token, known)) throw unauthorized('Bearer error="invalid_token"', 'This token is not known.');
    return next();
  };
  return middleware;
}

/** Takes the same time whichever token it is, and whichever it is like. */
function isKnown(token: string, known: readonly Buffer[]): boolean {
  const given = hash('sha256', token, 'buffer');
  return known.map((one) => timingSafeEqual(one, given)).includes(true);
}

function unauthorized(challenge: string, detail: string): Problem {
  return new Problem({ status: 401, title: 'Unauthorized', detail, headers: { 'WWW-Authenticate': challenge } });
}
