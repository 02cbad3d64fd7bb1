import { PoolBusyError } from './database-error.ts';

export interface ConnectionPoolOptions<Connection> {
  /** Makes one, or rejects within a time limit of its own. `onBroken` is called if it ends by itself. */
  open: (onBroken: () => void) => Promise<Connection>;
  /** Lets one go that did not end by itself. */
  close: (connection: Connection) => void;
  /** Most connections, with those in the making. */
  size: number;
  /** Most callers waiting; one more is refused. */
  queueLimit: number;
  /** Longest wait, in ms, while all connections are in use. */
  queueWaitMs: number;
}

export interface ConnectionPool<Connection> {
  /**
   * Resolves to a connection that is the caller's alone until it is given back or dropped: an idle one, one that is given
   * back or one that is made, whichever is there first. Rejects with what went wrong in making one; with PoolBusyError
   * while all are in use; and at `giveUpAt` (by performance.now()) in any case.
   */
  take: (giveUpAt: number) => Promise<Connection>;
  giveBack: (connection: Connection) => void;
  /** Instead of giving it back: it may not be used any more. */
  drop: (connection: Connection) => void;
  /** Nobody is served any more. Returns the connections that are left, in use or not. */
  end: () => Connection[];
}

interface Caller<Connection> extends PromiseWithResolvers<Connection> {
  /** It waits for a connection in the making only. */
  isOverdue: boolean;
}

/**
 * mysql2's own pool has no time limits, keeps a connection that it makes for the caller whom it is made for, and cannot
 * say whether one that comes back has ended. Over a slow network, where making one takes several round trips, a statement
 * would wait for its own while others come back.
 */
export function createConnectionPool<Connection>(
  options: ConnectionPoolOptions<Connection>,
): ConnectionPool<Connection> {
  const { open, close, size, queueLimit, queueWaitMs } = options;
  /** All that are good, in use or not. */
  const good = new Set<Connection>();
  const idle: Connection[] = [];
  /** In the order of their coming. */
  const waiting = new Set<Caller<Connection>>();
  let making = 0;
  let hasEnded = false;

  function takeLongestWaiting(): Caller<Connection> | undefined {
    const [longest] = waiting;
    if (longest) waiting.delete(longest);
    return longest;
  }

  function giveBack(connection: Connection): void {
    if (!good.has(connection)) return;
    const longest = takeLongestWaiting();
    if (longest) longest.resolve(connection);
    else idle.push(connection);
  }

  /** In use, it is left alone: its statement is still to hear of it. */
  function forget(connection: Connection): void {
    if (!good.delete(connection)) return;
    if (idle.includes(connection)) idle.splice(idle.indexOf(connection), 1);
    makeMore();
  }

  /** One for each who waits, as far as there is room. */
  function makeMore(): void {
    while (!hasEnded && making < waiting.size && good.size + making < size) void make();
  }

  async function make(): Promise<void> {
    making++;
    let connection: Connection | undefined;
    let isBroken = false;
    try {
      connection = await open(() => {
        isBroken = true;
        if (connection !== undefined) forget(connection);
      });
    } catch (error) {
      takeLongestWaiting()?.reject(error);
    }
    making--;
    if (connection !== undefined) {
      if (hasEnded) close(connection);
      else if (!isBroken) good.add(connection);
      giveBack(connection);
    }
    makeMore();
    if (making === 0) for (const caller of waiting) if (caller.isOverdue) sendAway(caller);
  }

  function sendAway(caller: Caller<Connection>): void {
    waiting.delete(caller);
    const whileMaking = Object.assign(new Error('no connection could be made in time'), { code: 'ETIMEDOUT' });
    caller.reject(making > 0 ? whileMaking : new PoolBusyError('no connection was free in time'));
  }

  function wait(giveUpAt: number): Promise<Connection> {
    const caller = { ...Promise.withResolvers<Connection>(), isOverdue: false };
    const onOverdue = () => {
      caller.isOverdue = true;
      if (making === 0) sendAway(caller);
    };
    const limits = [
      setTimeout(onOverdue, queueWaitMs),
      setTimeout(sendAway, Math.max(0, giveUpAt - performance.now()), caller),
    ];
    waiting.add(caller);
    makeMore();
    return caller.promise.finally(() => limits.forEach(clearTimeout));
  }

  return {
    giveBack,
    drop(connection) {
      forget(connection);
      close(connection);
    },
    take(giveUpAt) {
      const latest = idle.pop();
      if (latest !== undefined) return Promise.resolve(latest);
      if (hasEnded) return Promise.reject(new Error('the pool has ended'));
      if (waiting.size >= queueLimit) return Promise.reject(new PoolBusyError(`${waiting.size} others are waiting`));
      return wait(giveUpAt);
    },
    end() {
      hasEnded = true;
      idle.length = 0;
      for (const { reject } of waiting) reject(new Error('the pool has ended'));
      waiting.clear();
      return [...good];
    },
  };
}
