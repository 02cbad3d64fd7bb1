/** W3C Trace Context: which request of which trace made an event. */
export interface Trace {
  traceparent: string;
  tracestate?: string;
}

const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-((?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2})(-.*)?$/;
const STATE_LIMIT = 512;
const STATE_MEMBERS = 32;
const STATE_MEMBER = /^[a-z0-9][a-z0-9_*/@-]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

/** The two headers as an event keeps them, or undefined. The specification wants what is malformed ignored. */
export function toTraceText(traceparent: string | undefined, tracestate: string | undefined): string | undefined {
  const [, version, ids, more] = TRACEPARENT.exec(traceparent ?? '') ?? [];
  if (ids === undefined || (version === '00' && more !== undefined)) return undefined;
  // Of a later version, only what this one has too may be passed on.
  const parent = `00-${ids}`;
  return tracestate !== undefined && isState(tracestate) ? `${parent} ${tracestate}` : parent;
}

/** What `toTraceText` made; undefined for any other text, which a client of another language may have written. */
export function parseTrace(text: string | undefined): Trace | undefined {
  const [traceparent, ...rest] = text?.split(' ') ?? [];
  const tracestate = rest.length === 0 ? undefined : rest.join(' ');
  if (traceparent === undefined || toTraceText(traceparent, tracestate) !== text) return undefined;
  return { traceparent, ...(tracestate !== undefined && { tracestate }) };
}

function isState(text: string): boolean {
  if (text.length > STATE_LIMIT) return false;
  const members = text
    .split(',')
    .map((member) => member.trim())
    .filter(Boolean);
  return members.length > 0 && members.length <= STATE_MEMBERS && members.every((member) => STATE_MEMBER.test(member));
}
