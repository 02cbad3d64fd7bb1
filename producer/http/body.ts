import type { Context } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { newEventSchema } from '../openapi/schemas.ts';
import { badRequest, Problem } from './problem.ts';

/** Of any request, whatever it is sent to. */
export const MAX_BODY_BYTES = 4_096;

const limitBody = bodyLimit({
  maxSize: MAX_BODY_BYTES,
  onError: () => {
    const detail = `A body has at most ${MAX_BODY_BYTES} bytes.`;
    // The rest of it is not waited for.
    throw new Problem({ status: 413, title: 'Content Too Large', detail, headers: { Connection: 'close' } });
  },
});

// JSON is UTF-8 (RFC 8259, 8.1): in another charset it would be read as something else than was meant.
const JSON_TYPE = /^application\/json *(;(?!.*charset *= *(?!"?utf-8"? *(;|$)))|$)/i;

/**
 * Accepts a create with no body, an empty one, or a JSON object that says nothing more than is understood. Undefined
 * when there is nothing to wait for.
 */
export function checkEventBody(c: Context): Promise<void> | undefined {
  const { headers } = c.req.raw;
  const length = headers.get('content-length');
  const isEmpty = (length === null || length === '0') && !headers.has('transfer-encoding');
  return isEmpty ? undefined : checkBody(c, headers);
}

async function checkBody(c: Context, headers: Headers): Promise<void> {
  const text = await readBody(c);
  if (headers.has('content-encoding')) throw unsupported('A body is sent without Content-Encoding.');
  if (text !== '') {
    if (!JSON_TYPE.test(headers.get('content-type') ?? '')) {
      throw unsupported('A body has the Content-Type application/json, in UTF-8.');
    }
    checkMembers(parseJson(text));
  }
}

async function readBody(c: Context): Promise<string> {
  let text = '';
  try {
    await limitBody(c, async () => {
      text = await c.req.text();
    });
    return text;
  } catch (error) {
    // Whoever sent it has left, was too slow or broke off: no fault of ours. Nobody reads this but the log's reader.
    throw error instanceof Problem ? error : badRequest('The body did not arrive whole.');
  }
}

function unsupported(detail: string): Problem {
  return new Problem({ status: 415, title: 'Unsupported Media Type', detail });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw badRequest('The body is not JSON.');
  }
}

function checkMembers(body: unknown): void {
  if (newEventSchema.safeParse(body).success) return;
  const detail = 'The body is an empty JSON object: an event has no members that a caller can set.';
  throw new Problem({ status: 422, title: 'Unprocessable Content', detail });
}
