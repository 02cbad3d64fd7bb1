import { badRequest } from './problem.ts';

/**
 * Visible ASCII. No comma: that is how a header given twice arrives (RFC 9110, 5.3). A key is taken as it is written, so
 * quotes around it make another key.
 */
export const IDEMPOTENCY_KEY = /^[\x21-\x2b\x2d-\x7e]{1,255}$/;

/** What `Idempotency-Key` says, or undefined without one. A key that cannot be kept exactly is a 400. */
export function idempotencyKey(header: string | undefined): string | undefined {
  if (header === undefined || IDEMPOTENCY_KEY.test(header)) return header;
  throw badRequest('Send one Idempotency-Key of 1 to 255 visible ASCII characters, without a space or a comma.');
}
