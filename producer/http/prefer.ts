import type { Context } from 'hono';

/**
 * The seconds of `Prefer: wait=N` (RFC 7240, 4.3), or undefined. What is malformed is ignored, as section 2 asks; of
 * several, the first counts.
 */
export function preferredWait(header: string | undefined): number | undefined {
  for (const preference of header?.split(',') ?? []) {
    const wait = /^\s*wait\s*=\s*(?:"([0-9]{1,9})"|([0-9]{1,9}))\s*(;|$)/i.exec(preference);
    if (wait) return Number(wait[1] ?? wait[2]);
  }
  return undefined;
}

/** The header with which an answer says that it heeded `Prefer: wait` (RFC 7240, 3). */
export function preferenceApplied(c: Context): Record<string, string> {
  const wait = preferredWait(c.req.header('prefer'));
  return wait === undefined ? {} : { 'Preference-Applied': `wait=${wait}` };
}
