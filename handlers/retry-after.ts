/** How long an answer asks to be left alone, by Retry-After in seconds or as a date (RFC 9110, 10.2.3). */
export function retryAfterMs({ headers }: Response, longestMs: number): number | undefined {
  const header = headers.get('retry-after');
  if (header === null) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), longestMs);
}
