/**
 * What may be concluded from a failed statement:
 * - `not applied`: the server undid it; the same statement may be sent again.
 * - `unavailable`: no server took it, or one that can't serve; nothing was applied. Try another connection, later.
 * - `unknown`: it was under way when contact was lost; it may or may not have been applied.
 * - `overloaded`: it never left us, for too many others were under way.
 * - `permanent`: the statement or the set-up is wrong; repeating it changes nothing.
 */
export type DatabaseFault = 'not applied' | 'unavailable' | 'unknown' | 'overloaded' | 'permanent';

/**
 * The only error that leaves database/connect.ts. `cause` is the driver's own, `code` its name for it.
 * `mayHaveWritten`: a statement that changes something had been sent when it happened. `hasWorked`: the same pool was
 * served before.
 */
export class DatabaseError extends Error {
  override readonly name = 'DatabaseError';
  readonly fault: DatabaseFault;
  readonly code: string;

  constructor(cause: unknown, mayHaveWritten: boolean, hasWorked = false) {
    const { code, message } = describe(cause);
    super(`${code}: ${message}`, { cause });
    this.code = code;
    this.fault = classifyFault(cause, mayHaveWritten, hasWorked);
  }
}

/** No connection of our own pool was free in time, or too many were waiting for one. */
export class PoolBusyError extends Error {
  override readonly name = 'PoolBusyError';
}

// 1205 undoes only the statement; the routines of init.sql turn that into a ROLLBACK of the whole unit.
// 1305: a routine is missing for the moment in which init.sql is loaded again; 1370: not yet granted again after it.
const NOT_APPLIED = new Set([1213, 1205, 3101, 1020, 1305, 1370]);
// Read-only or fenced off after a failover, not yet synchronised, too many connections, timed out while idle.
const WRONG_SERVER = new Set([1290, 1792, 1836, 4094, 3032, 1047, 1040, 1203, 1226, 4031]);
// The account is refused. At start that is a mistake of the set-up; later, of whoever is changing the accounts just now.
const LOGIN_REFUSED = new Set([1044, 1045, 1698]);
// The reply of a COMMIT got lost between servers; or the session was ended (1053 shutdown, 1927) or interrupted (1317), which
// is said in place of a reply even after a COMMIT (seen on MySQL 9.7: a create that it answered with 1053 was in the table).
const OUTCOME_LOST = new Set([2013, 3100, 1180, 1053, 1317, 1927]);

/** The one table of error classes. Server errors carry `errno` 1000 and up; anything else is the network's. */
export function classifyFault(cause: unknown, mayHaveWritten: boolean, hasWorked = false): DatabaseFault {
  if (cause instanceof PoolBusyError) return 'overloaded';
  const errno = errorNumber(cause);
  if (NOT_APPLIED.has(errno)) return 'not applied';
  if (WRONG_SERVER.has(errno)) return 'unavailable';
  if (LOGIN_REFUSED.has(errno) && hasWorked) return 'unavailable';
  if (OUTCOME_LOST.has(errno)) return mayHaveWritten ? 'unknown' : 'unavailable';
  if (errno >= 1000) return 'permanent';
  return mayHaveWritten ? 'unknown' : 'unavailable';
}

/** True for a unique key that is taken already (1062). */
export function isDuplicateKey(error: unknown): boolean {
  return error instanceof DatabaseError && errorNumber(error.cause) === 1062;
}

function errorNumber(cause: unknown): number {
  const errno = cause instanceof Error && 'errno' in cause ? cause.errno : undefined;
  return typeof errno === 'number' ? errno : 0;
}

function describe(cause: unknown): { code: string; message: string } {
  if (!(cause instanceof Error)) return { code: 'UNKNOWN', message: String(cause) };
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.name;
  return { code, message: cause.message };
}
