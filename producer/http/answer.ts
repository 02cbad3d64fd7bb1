import type { Context } from 'hono';
import type { StatusCode } from 'hono/utils/http-status';
import type { RequestVariables } from './request-log.ts';

/**
 * An answer, with the id of its request. Its headers are a plain object, which node-server writes as it is: `c.header`
 * and `c.json` build a Headers object first.
 */
export function answer(
  c: Context<RequestVariables>,
  status: StatusCode,
  body: string | null,
  headers: Record<string, string> = {},
): Response {
  return new Response(body, { status, headers: { 'X-Request-Id': c.get('requestId'), ...headers } });
}

export function answerJson(
  c: Context<RequestVariables>,
  status: StatusCode,
  body: unknown,
  headers: Record<string, string> = {},
): Response {
  return answerJsonText(c, status, JSON.stringify(body), headers);
}

/** For a body that is JSON text already. */
export function answerJsonText(
  c: Context<RequestVariables>,
  status: StatusCode,
  text: string,
  headers: Record<string, string> = {},
): Response {
  return answer(c, status, text, { 'Content-Type': 'application/json', ...headers });
}
