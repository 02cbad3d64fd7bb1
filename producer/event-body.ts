import type { MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { badRequest, Problem } from './problem.ts';
import { newEventSchema } from './schemas.ts';

const MAX_BYTES = 4_096;

const limitBody = bodyLimit({
  maxSize: MAX_BYTES,
  onError: () => {
    throw new Problem({ status: 413, title: 'Content Too Large', detail: `A body has at most ${MAX_BYTES} bytes.` });
  },
});

/** Accepts a create with no body, an empty one, or a JSON object that says nothing more than is understood. */
export const checkEventBody: MiddlewareHandler = async (c, next) => {
  const { headers } = c.req.raw;
  const length = headers.get('content-length');
  if ((length === null || length === '0') && !headers.has('transfer-encoding')) return next();
  return limitBody(c, async () => {
    if (headers.has('content-encoding')) throw unsupported('A body is sent without Content-Encoding.');
    const text = await c.req.text();
    if (text !== '') {
      if (!/^application\/json *(;|$)/i.test(headers.get('content-type') ?? '')) {
        throw unsupported('A body has the Content-Type application/json.');
      }
      checkMembers(parseJson(text));
    }
    await next();
  });
};

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
