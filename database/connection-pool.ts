import { PoolBusyError } from './database-error.ts';

export interface ConnectionPoolOptions<Connection> {
  /** Makes one, or rejects within a time limit of its own. */
  open: () => Promise<Connection>;
  close: (connection: Connection) => void;
  /** Whether it ended by itself. */
  hasEnded: (connection: Connection) => boolean;
  /** Why none could be made in time, where that is known. */
  whyNotMade?: () => Error | undefined;
  /** Limit of the connections, with those in the making. */
  size: number;
  /** Limit of the callers that wait; one more is refused. */
  queueLimit: number;
  /** How long a caller waits while all connections are in use. */
  queueWaitMs: number;
}

export interface ConnectionPool<Connection> {
  /**
   * Resolves to a connection that is the caller's alone until it is given back or dropped. Rejects with the error of making
   * one, with PoolBusyError while all are in use, and at the deadline, by performance.now().
   */
  take: (deadline: number) => Promise<Connection>;
  giveBack: (connection: Connection) => void;
  /** Instead of giving it back: closes it. */
  drop: (connection: Connection) => void;
  /** Serves nobody any more. Returns the connections that are left, in use or not. */
  end: () => Connection[];
}

// An overdue caller looks so often whether the connection that is being made is there.
const LOOK_AGAIN_MS = 20;

/**
 * mysql2's own pool has no time limits, does not notice that a connection has ended, and lets a caller wait for the
 * connection that is made for it while others come back.
 */
export function createConnectionPool<Connection>(
  options: ConnectionPoolOptions<Connection>,
): ConnectionPool<Connection> {
  const { open, close, hasEnded, whyNotMade, size, queueLimit, queueWaitMs } = options;
  /** In use or idle. */
  const connections = new Set<Connection>();
  const idle: Connection[] = [];
  /** In the order of their coming. */
  const waiting = new Set<PromiseWithResolvers<Connection>>();
  let making = 0;
  let isOver = false;

  function takeLongestWaiting(): PromiseWithResolvers<Connection> | undefined {
    const [longest] = waiting;
    if (longest) waiting.delete(longest);
    return longest;
  }

  function giveBack(connection: Connection): void {
    if (hasEnded(connection)) return drop(connection);
    const longest = takeLongestWaiting();
    if (longest) longest.resolve(connection);
    else idle.push(connection);
  }

  function drop(connection: Connection): void {
    connections.delete(connection);
    close(connection);
    makeMore();
  }

  /** One for each who waits, as far as there is room. */
  function makeMore(): void {
    while (!isOver && making < waiting.size && connections.size + making < size) void make();
  }

  async function make(): Promise<void> {
    making++;
    try {
      const connection = await open().finally(() => making--);
      if (isOver) return close(connection);
      connections.add(connection);
      giveBack(connection);
    } catch (error) {
      takeLongestWaiting()?.reject(error);
    }
    makeMore();
  }

  function wait(deadline: number): Promise<Connection> {
    const caller = Promise.withResolvers<Connection>();
    const onOverdue = () => {
      const leftMs = deadline - performance.now();
      // Making one has a time limit of its own; it is no sign of a busy pool.
      if (making > 0 && leftMs > 0) {
        timer = setTimeout(onOverdue, Math.min(LOOK_AGAIN_MS, leftMs));
        return;
      }
      waiting.delete(caller);
      const whileMaking = Object.assign(new Error('no connection could be made in time'), { code: 'ETIMEDOUT' });
      caller.reject(making > 0 ? (whyNotMade?.() ?? whileMaking) : new PoolBusyError('no connection was free in time'));
    };
    let timer = setTimeout(onOverdue, Math.min(queueWaitMs, Math.max(0, deadline - performance.now())));
    waiting.add(caller);
    makeMore();
    return caller.promise.finally(() => clearTimeout(timer));
  }

  return {
    giveBack,
    drop,
    async take(deadline) {
      for (let latest = idle.pop(); latest !== undefined; latest = idle.pop()) {
        if (!hasEnded(latest)) return latest;
        drop(latest);
      }
      if (isOver) throw new Error('the pool has ended');
      if (waiting.size >= queueLimit) throw new PoolBusyError(`${waiting.size} others are waiting`);
      return wait(deadline);
    },
    end() {
      isOver = true;
      idle.length = 0;
      for (const { reject } of waiting) reject(new Error('the pool has ended'));
      waiting.clear();
      return [...connections].filter((connection) => !hasEnded(connection));
    },
  };
}
