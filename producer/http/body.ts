import type { Context } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { badRequest, Problem } from './problem.ts';

export interface BodyLimit {
  maxBytes: number;
  /** What a larger body is refused with. */
  detail: string;
}

/** By the path that the bodies are sent to. */
export type BodyLimits = Record<string, BodyLimit>;

/** Of a body whose path has no limit of its own. */
export const SMALL_BODY: BodyLimit = { maxBytes: 4_096, detail: 'A body has at most 4096 bytes here.' };

export interface JsonBody {
  /** As it was sent. */
  text: string;
  /** The same, parsed. */
  value: unknown;
}

/** Undefined for no body and for an empty one; without a promise when there is nothing to wait for. */
export type ReadJson = (c: Context) => Promise<JsonBody | undefined> | undefined;

// JSON is UTF-8 (RFC 8259, 8.1): in another charset it would be read as something else than was meant.
const JSON_TYPE = /^application\/json *(;(?!.*charset *= *(?!"?utf-8"? *(;|$)))|$)/i;
const UTF_8 = new TextDecoder('utf-8', { fatal: true });

/** Reads JSON bodies up to a limit; what is none ends in a problem. */
export function createJsonReader({ maxBytes, detail }: BodyLimit): ReadJson {
  const onError = (): never => {
    // node-server reads on for half a second: a proxy that still sends would not see the answer of a closed connection.
    throw new Problem({ status: 413, detail });
  };
  const limitChunks = bodyLimit({ maxSize: maxBytes, onError });
  return (c) => {
    const { headers } = c.req.raw;
    const length = Number(headers.get('content-length'));
    if (length > maxBytes) return onError();
    return length > 0 || hasUnknownLength(headers) ? parseBody(c, limitChunks) : undefined;
  };
}

/** Over HTTP/1.1 only chunks have no length. A Request that is made in this process has none either, and a type if it has a body. */
function hasUnknownLength(headers: Headers): boolean {
  return headers.has('transfer-encoding') || (headers.has('content-type') && !headers.has('content-length'));
}

type LimitChunks = ReturnType<typeof bodyLimit>;

async function parseBody(c: Context, limitChunks: LimitChunks): Promise<JsonBody | undefined> {
  const { headers } = c.req.raw;
  const bytes = await readBytes(c, limitChunks);
  if (headers.has('content-encoding')) throw unsupported('Send the body as it is, without Content-Encoding.');
  if (bytes.byteLength === 0) return undefined;
  if (!JSON_TYPE.test(headers.get('content-type') ?? '')) {
    throw unsupported(
      "Send JSON in UTF-8 with Content-Type: application/json, as curl --json '{}' does; " +
        "beside curl -d, add -H 'Content-Type: application/json'.",
    );
  }
  try {
    const text = UTF_8.decode(bytes);
    return { text, value: JSON.parse(text) };
  } catch {
    throw badRequest('The body is not JSON in UTF-8. Send {} or no body to create a word.');
  }
}

async function readBytes(c: Context, limitChunks: LimitChunks): Promise<ArrayBuffer> {
  try {
    // A body with a length needs no second limit, and for this one a stream would be made.
    if (hasUnknownLength(c.req.raw.headers)) await limitChunks(c, async () => {});
    return await c.req.arrayBuffer();
  } catch (error) {
    // The sender left, was too slow or broke off. Only a reader of the log sees this.
    throw error instanceof Problem ? error : badRequest('The body did not arrive whole.');
  }
}

function unsupported(detail: string): Problem {
  return new Problem({ status: 415, detail });
}
