import { whatToDo } from './what-to-do.ts';

/** What may be concluded from a failed statement; docs/design.md says what follows from each. */
export type DatabaseFault =
  | 'not applied' // the server undid it; the same statement may be sent again
  | 'unavailable' // no server took it, or one that cannot serve; nothing was applied
  | 'unknown' // it was under way when something went wrong; it may have been applied
  | 'overloaded' // it never left us: all connections were in use
  | 'refused' // a rule for callers, which the message says; nothing was applied
  | 'permanent'; // the statement or the set-up is wrong; repeating it changes nothing

/**
 * The only error that leaves database/connect.ts. Its message begins with what a person can do, where that is known.
 * `mayHaveWritten`: a write had been sent. `hasWorked`: no connection could be made, but earlier ones could.
 */
export class DatabaseError extends Error {
  override readonly name = 'DatabaseError';
  readonly fault: DatabaseFault;
  readonly code: string;
  /** By the server's own number, and 0 for what is not an error of a server. */
  readonly errno: number;

  constructor(cause: unknown, mayHaveWritten: boolean, hasWorked = false) {
    const { code, errno, message } = describe(cause);
    const fault = classifyFault(cause, mayHaveWritten, hasWorked);
    const advice = whatToDo(errno);
    const shown = fault === 'refused' ? message : `${code}: ${message}`;
    super(advice ? `${advice} (${shown})` : shown, { cause });
    this.code = code;
    this.errno = errno;
    this.fault = fault;
  }
}

/** No connection of our own pool was free in time, or too many were waiting for one. */
export class PoolBusyError extends Error {
  override readonly name = 'PoolBusyError';
}

/**
 * Errors of which more is known than their SQLSTATE says. All of them end a routine before its COMMIT, and the connection
 * is dropped after each, which rolls back: so none was applied.
 */
const BY_NUMBER = new Map<number, DatabaseFault>([
  [1213, 'not applied'], // a deadlock
  [3101, 'not applied'], // a conflict within the group
  [1205, 'not applied'], // waited too long for a lock
  [1020, 'not applied'], // a row was changed since it was read
  [1412, 'not applied'], // a table was altered meanwhile
  [1305, 'not applied'], // a routine is missing for the moment in which init.sql is loaded again
  [1370, 'not applied'], // and not granted for the moment after it

  [1290, 'unavailable'], // read-only, as a server is after a failover
  [1792, 'unavailable'], // the same, by its transactions
  [1836, 'unavailable'], // the same, while it recovers
  [4094, 'unavailable'], // the group is changing its primary
  [3032, 'unavailable'], // offline mode
  [1047, 'unavailable'], // a Galera node that is not synchronised
  [1040, 'unavailable'], // too many connections
  [1203, 'unavailable'], // too many of this account
  [1226, 'unavailable'], // this account has used up what it may use in an hour
  [4031, 'unavailable'], // the session was idle for too long, and the statement was not taken
  [1021, 'unavailable'], // the disk is full
  [1114, 'unavailable'], // the table or its tablespace is full
  [9001, 'unavailable'], // ProxySQL found no server for it

  [1130, 'permanent'], // no account may log in from this host
  [1820, 'permanent'], // the account must change its password first
  [1449, 'permanent'], // the account that made a routine or trigger is gone
  [1665, 'permanent'], // the binary log is written by statement
  [1153, 'permanent'], // larger than max_allowed_packet
  [1193, 'permanent'], // a session variable that this server does not know
  [1251, 'permanent'], // a kind of login that the driver does not know
  [1364, 'permanent'], // somebody added a column without a default
  [1366, 'permanent'], // text that does not fit its column's character set
  [3854, 'permanent'], // the same, of an argument, on MySQL
  [1436, 'permanent'], // thread_stack is too small for a routine in a trigger
  [3819, 'permanent'], // a CHECK of init.sql, on MySQL; MariaDB's 4025 is of class 23
]);

/** By the first two characters of the SQLSTATE: only what is certainly our fault or the set-up's is permanent. */
const BY_CLASS = new Map<string, DatabaseFault>([
  ['40', 'not applied'], // the transaction was rolled back
  ['42', 'permanent'], // syntax, missing tables and columns, missing rights
  ['28', 'permanent'], // login refused
  ['23', 'permanent'], // constraint violated, a duplicate key among them
  ['22', 'permanent'], // data that does not fit
  ['21', 'permanent'], // wrong number of columns or rows
  ['0A', 'permanent'], // not supported
  ['45', 'permanent'], // SIGNAL of a routine or trigger
]);

/**
 * The one table of error classes. What stands in neither list passes by itself, as most of HY000 and 08S01 does. It may
 * follow a successful COMMIT (seen with 1053 on MySQL 9.7): docs/design.md.
 */
export function classifyFault(cause: unknown, mayHaveWritten: boolean, hasWorked = false): DatabaseFault {
  if (cause instanceof PoolBusyError) return 'overloaded';
  const fault = faultOf(cause) ?? (mayHaveWritten ? 'unknown' : 'unavailable');
  // An account or database that was there before is being changed just now, and may be let in again.
  return fault === 'permanent' && hasWorked ? 'unavailable' : fault;
}

function faultOf(cause: unknown): DatabaseFault | undefined {
  const { code, errno, sqlState } = describe(cause);
  if (code === 'BAD_DATABASE_URL') return 'permanent';
  if (sqlState === '45001') return 'refused';
  return BY_NUMBER.get(errno) ?? BY_CLASS.get(sqlState.slice(0, 2));
}

/** True for what breaks a rule for callers. */
export function isRefused(error: unknown): error is DatabaseError {
  return error instanceof DatabaseError && error.fault === 'refused';
}

/** True for one of two transactions that waited for each other (1213), or met in a group (3101): neither is to blame. */
export function isDeadlock(error: unknown): boolean {
  return error instanceof DatabaseError && (error.errno === 1213 || error.errno === 3101);
}

/** True for a unique key that is taken already (1062). */
export function isDuplicateKey(error: unknown): boolean {
  return error instanceof DatabaseError && error.errno === 1062;
}

/** What the driver says of an error. Servers number theirs from 1000 on; below are the network's. */
function describe(cause: unknown): { code: string; errno: number; sqlState: string; message: string } {
  if (!(cause instanceof Error)) return { code: 'UNKNOWN', errno: 0, sqlState: '', message: String(cause) };
  const { code, errno = 0, sqlState = '' } = cause as Error & { code?: string; errno?: number; sqlState?: string };
  // The driver has no names for MariaDB's own numbers.
  return {
    code: code ?? (errno >= 1_000 ? `ER_${errno}` : cause.name),
    errno: Math.max(0, errno),
    sqlState,
    message: cause.message,
  };
}
