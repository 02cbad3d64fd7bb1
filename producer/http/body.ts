import type { Context } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { z } from 'zod';
import { badRequest, Problem } from './problem.ts';

/** Of any request, whatever it is sent to. */
export const MAX_BODY_BYTES = 4_096;
export const BODY_TOO_LARGE = `A body has at most ${MAX_BODY_BYTES} bytes.`;

const limitBody = bodyLimit({
  maxSize: MAX_BODY_BYTES,
  onError: () => {
    // The rest of the body is not waited for.
    throw new Problem({ status: 413, detail: BODY_TOO_LARGE, headers: { Connection: 'close' } });
  },
});

// JSON is UTF-8 (RFC 8259, 8.1): in another charset it would be read as something else than was meant.
const JSON_TYPE = /^application\/json *(;(?!.*charset *= *(?!"?utf-8"? *(;|$)))|$)/i;

/**
 * The JSON body as `schema` wants it, or a 422 with `detail`. Undefined for no body and for an empty one; without a
 * promise when there is nothing to wait for.
 */
export function readJson<S extends z.ZodType>(
  c: Context,
  schema: S,
  detail: string,
): Promise<z.infer<S> | undefined> | undefined {
  const { headers } = c.req.raw;
  const length = headers.get('content-length');
  const isEmpty = (length === null || length === '0') && !headers.has('transfer-encoding');
  return isEmpty ? undefined : parseBody(c, schema, detail);
}

async function parseBody<S extends z.ZodType>(c: Context, schema: S, detail: string): Promise<z.infer<S> | undefined> {
  const { headers } = c.req.raw;
  const text = await readText(c);
  if (headers.has('content-encoding')) throw unsupported('Send the body as it is, without Content-Encoding.');
  if (text === '') return undefined;
  if (!JSON_TYPE.test(headers.get('content-type') ?? '')) {
    throw unsupported("Send JSON in UTF-8 with Content-Type: application/json, as curl --json '{}' does.");
  }
  const body = schema.safeParse(parseJson(text));
  if (!body.success) throw new Problem({ status: 422, detail });
  return body.data;
}

async function readText(c: Context): Promise<string> {
  let text = '';
  try {
    await limitBody(c, async () => {
      text = await c.req.text();
    });
    return text;
  } catch (error) {
    // The sender left, was too slow or broke off. Only a reader of the log sees this.
    throw error instanceof Problem ? error : badRequest('The body did not arrive whole.');
  }
}

function unsupported(detail: string): Problem {
  return new Problem({ status: 415, detail });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw badRequest('The body is not JSON. Send {} or no body.');
  }
}
