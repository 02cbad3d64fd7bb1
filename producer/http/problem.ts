import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { DatabaseError } from '../../database/database-error.ts';
import { KeyReusedError, QueueFullError } from '../create-batcher.ts';
import { answerJson } from './answer.ts';
import type { RequestVariables } from './request-log.ts';

export interface ProblemOptions {
  status: ContentfulStatusCode;
  /** The status in words: with the type `about:blank` that is what a title is (RFC 9457, 4.2.1). */
  title: string;
  /** For the person who sent the request. Nothing internal. */
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

/** 400, with what would have been accepted. */
export function badRequest(detail: string): Problem {
  return new Problem({ status: 400, title: 'Bad Request', detail });
}

/** 503 for what passes by itself: the caller may come again in a second. */
export function unavailable(detail: string): Problem {
  return new Problem({ status: 503, title: 'Service Unavailable', detail, headers: { 'Retry-After': '1' } });
}

/** 503 without Retry-After: to come again could do it twice. */
function unknownOutcome(): Problem {
  const detail = 'Contact with the database was lost. It may or may not have done what was asked for.';
  return new Problem({ status: 503, title: 'Service Unavailable', detail, members: { outcome: 'unknown' } });
}

/** Whether this is a fault of the database that passes by itself. */
export function isTransient(error: unknown): error is DatabaseError {
  return error instanceof DatabaseError && error.fault !== 'permanent';
}

/** What a caller is told of an error. What it was is in the log, under the same request id. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof QueueFullError) return unavailable('Too many creates are waiting. Nothing was created.');
  if (error instanceof KeyReusedError) {
    const detail = 'This Idempotency-Key was used for another number of events. Nothing was created.';
    return new Problem({ status: 422, title: 'Unprocessable Content', detail });
  }
  if (isTransient(error)) {
    return error.fault === 'unknown'
      ? unknownOutcome()
      : unavailable('The database cannot be used now. Nothing was changed.');
  }
  return new Problem({
    status: 500,
    title: 'Internal Server Error',
    detail: 'This is a fault of the server. Its log has more under the requestId.',
  });
}

export function sendProblem(c: Context<RequestVariables>, { options }: Problem): Response {
  const { status, title, detail, headers = {}, members = {} } = options;
  const document = { type: 'about:blank', title, status, detail, requestId: c.get('requestId'), ...members };
  return answerJson(c, status, document, { ...headers, 'Content-Type': 'application/problem+json' });
}
