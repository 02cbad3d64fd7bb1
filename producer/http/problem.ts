import { STATUS_CODES } from 'node:http';
import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { answerJson } from './answer.ts';
import type { RequestVariables } from './request-log.ts';

export interface ProblemOptions {
  status: ContentfulStatusCode;
  /** For the person who sent the request: what would be right, and nothing internal. */
  detail: string;
  headers?: Record<string, string>;
  /** Further members of the document. */
  members?: Record<string, unknown>;
}

/** A request that ends in an RFC 9457 document; thrown anywhere in a handler. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly options: ProblemOptions;

  constructor(options: ProblemOptions) {
    super(options.detail);
    this.options = options;
  }
}

/** 400. `detail` says what would have been accepted. */
export function badRequest(detail: string): Problem {
  return new Problem({ status: 400, detail });
}

/** 503 for a transient fault: the caller may come again in a second. */
export function unavailable(detail: string): Problem {
  return new Problem({ status: 503, detail, headers: { 'Retry-After': '1' } });
}

// RFC 9110 renamed these two.
const TITLES: typeof STATUS_CODES = { ...STATUS_CODES, 413: 'Content Too Large', 422: 'Unprocessable Content' };

/** The members of a document. With the type `about:blank`, its title is the status in words (RFC 9457, 4.2.1). */
export function problemDocument({ status, detail, members }: ProblemOptions, requestId: string) {
  return { type: 'about:blank', title: TITLES[status], status, detail, requestId, ...members };
}

export function sendProblem(c: Context<RequestVariables>, { options }: Problem): Response {
  const headers = { ...options.headers, 'Content-Type': 'application/problem+json' };
  return answerJson(c, options.status, problemDocument(options, c.get('requestId')), headers);
}
