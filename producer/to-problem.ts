import { DatabaseError, isRefused } from '../database/database-error.ts';
import { InvalidEventError } from '../database/events/new-event.ts';
import { KeyReusedError, QueueFullError } from './create-batcher.ts';
import { Problem, unavailable } from './http/problem.ts';

/** What a caller is told of an error. The error itself is in the log, under the same request id. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof QueueFullError) return unavailable('Too many creates are waiting. Nothing was created.');
  if (error instanceof KeyReusedError) return keyReused();
  if (error instanceof InvalidEventError) return invalidEvent(error);
  if (isRefused(error)) return new Problem({ status: 422, detail: `${error.message} Nothing was created.` });
  if (!isTransient(error)) return serverFault();
  return error.fault === 'unknown'
    ? unknownOutcome()
    : unavailable('The database cannot be used now. Nothing was changed.');
}

/** Whether this is a fault of the database that passes by itself. */
export function isTransient(error: unknown): error is DatabaseError {
  return error instanceof DatabaseError && error.fault !== 'permanent' && error.fault !== 'refused';
}

function keyReused(): Problem {
  const detail =
    'This Idempotency-Key stands for another number of events. Nothing was created; a new create takes a new key.';
  return new Problem({ status: 422, detail });
}

function invalidEvent({ message, isTooLarge }: InvalidEventError): Problem {
  return new Problem({ status: isTooLarge ? 413 : 422, detail: `${message} Nothing was created.` });
}

/** Without Retry-After: a repeat could do it twice. */
function unknownOutcome(): Problem {
  const detail =
    'The connection to the database was lost on the way, so this request may or may not have been carried out. ' +
    'A create with an Idempotency-Key can be repeated safely.';
  return new Problem({ status: 503, detail, members: { outcome: 'unknown' } });
}

function serverFault(): Problem {
  return new Problem({ status: 500, detail: 'The server failed. Its log has the reason under this requestId.' });
}
