import { hash, timingSafeEqual } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import { Problem } from './problem.ts';

/**
 * Lets only those requests pass that carry `Authorization: Bearer …` (RFC 6750) with a token whose SHA-256 is among
 * `hashes`, in hex; to open paths, all. This side never holds the tokens themselves.
 */
export function requireToken(
  hashes: readonly string[],
  isOpen: (path: string) => boolean = () => false,
): MiddlewareHandler {
  const known = hashes.map((hex) => Buffer.from(hex, 'hex'));
  return async (c, next) => {
    if (isOpen(c.req.path)) return next();
    const token = /^Bearer +([\w.~+/-]+=*) *$/i.exec(c.req.header('authorization') ?? '')?.[1];
    if (token === undefined) throw unauthorized('Bearer', 'Send a token in the header Authorization: Bearer TOKEN.');
    if (isKnown(token, known)) return next();
    throw unauthorized(
      'Bearer error="invalid_token"',
      'This token is not known, or no longer; ask the operator of this service for one.',
    );
  };
}

/** Takes the same time for every token. */
function isKnown(token: string, known: readonly Buffer[]): boolean {
  const given = hash('sha256', token, 'buffer');
  return known.map((one) => timingSafeEqual(one, given)).includes(true);
}

function unauthorized(challenge: string, detail: string): Problem {
  return new Problem({ status: 401, detail, headers: { 'WWW-Authenticate': challenge } });
}
