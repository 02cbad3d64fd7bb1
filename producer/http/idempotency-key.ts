import { badRequest } from './problem.ts';

// Visible ASCII. No comma: that is how a header given twice arrives (RFC 9110, 5.3). A key is taken as it is written:
// with quotes around it, it is another key than without.
const KEY = /^[\x21-\x2b\x2d-\x7e]{1,255}$/;

/** What `Idempotency-Key` says, or undefined without one. A key that cannot be kept exactly is a 400. */
export function idempotencyKey(header: string | undefined): string | undefined {
  if (header === undefined || KEY.test(header)) return header;
  throw badRequest('An Idempotency-Key is given once, 1 to 255 visible ASCII characters without a comma.');
}
