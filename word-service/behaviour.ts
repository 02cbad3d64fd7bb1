import { z } from 'zod';

/** How the service is wrong when it is. */
export const FAULTS = [
  'error', // 500
  'busy', // 429 with Retry-After: 1
  'missing', // 404
  'redirect', // 302 to itself
  'close', // the connection is cut before the answer
  'reset', // … and in the middle of it
  'silence', // no answer, for as long as the caller waits
  'html', // 200 with a page instead of JSON
  'empty', // 200 with no word at all
  'fewer', // half of the words asked for
  'not-words', // every second word is none
] as const;

/** Can be changed while the service runs: `curl -X PUT localhost:3900/behaviour -d '{"latencyMs":2000}'`. */
export const behaviourSchema = z.strictObject({
  /** Before each answer, in ms. */
  latencyMs: z.int().min(0).max(600_000).default(0),
  /** Added to it at random, up to this many ms. */
  jitterMs: z.int().min(0).max(600_000).default(0),
  /** The share of calls that meet the fault, 0 to 1. */
  faultRate: z.number().min(0).max(1).default(0),
  fault: z.enum(FAULTS).default('error'),
});

export type Behaviour = z.infer<typeof behaviourSchema>;
