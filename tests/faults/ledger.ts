/** One request of a client. Times are by performance.now() of the test's own process. */
export interface Operation {
  kind: 'create-async' | 'create-sync' | 'count' | 'find';
  /** What it was sent to. */
  front?: string;
  /** The Idempotency-Key it was sent with. Requests of one key create one event. */
  key?: string;
  /** How many events it asked for. */
  events: number;
  sentAt: number;
  answeredAt?: number;
  /**
   * `ok`: acknowledged. `failed`: certainly not applied. `unknown`: it may have been. `sent` until one of these is
   * known, and `left` when the client itself went away.
   */
  outcome: 'sent' | 'ok' | 'failed' | 'unknown' | 'left';
  status?: number;
  /** The id that was acknowledged; of several, the first. Of a find the one that it asks for. */
  id?: number;
  word?: string;
  /** What `GET /` answered. */
  count?: number;
  /** No complete answer within the client's deadline. */
  isHung?: boolean;
  /** The connection ended before the answer did. */
  isCut?: boolean;
  /** Why the answer is none that is documented. */
  undocumented?: string;
}

/** Written before a request is sent and after it is answered, by the clients and nobody else. */
export interface Ledger {
  operations: readonly Operation[];
  begin: (operation: Pick<Operation, 'kind'> & Partial<Operation>) => Operation;
  /** Resolves when a create that was sent after `sentAfter` is acknowledged, to its operation. */
  nextAcknowledged: (sentAfter?: number) => Promise<Operation>;
  end: (operation: Operation, result: Partial<Operation> & Pick<Operation, 'outcome'>) => void;
}

export function createLedger(): Ledger {
  const operations: Operation[] = [];
  const watchers = new Set<(operation: Operation) => void>();
  return {
    operations,
    begin(operation) {
      const begun: Operation = { events: 1, sentAt: performance.now(), outcome: 'sent', ...operation };
      operations.push(begun);
      return begun;
    },
    end(operation, result) {
      Object.assign(operation, { answeredAt: performance.now(), ...result });
      for (const watch of watchers) watch(operation);
    },
    nextAcknowledged: (sentAfter = performance.now()) =>
      new Promise((resolve) => {
        const watch = (operation: Operation) => {
          if (!isCreate(operation) || operation.outcome !== 'ok' || operation.sentAt < sentAfter) return;
          watchers.delete(watch);
          resolve(operation);
        };
        watchers.add(watch);
      }),
  };
}

export function isCreate({ kind }: Operation): boolean {
  return kind === 'create-async' || kind === 'create-sync';
}

/** Creates by what they create: all requests of one key count once. */
export function createsByIdentity(operations: readonly Operation[]): Map<string, Operation[]> {
  const creates = new Map<string, Operation[]>();
  for (const [n, operation] of operations.entries()) {
    if (!isCreate(operation)) continue;
    const identity = operation.key ?? `#${n}`;
    const same = creates.get(identity);
    if (same) same.push(operation);
    else creates.set(identity, [operation]);
  }
  return creates;
}

/** The ids that were acknowledged, those of one key once. */
export function acknowledgedIds(operations: readonly Operation[]): number[] {
  return [...createsByIdentity(operations).values()].flatMap((same) => {
    const ok = same.find(({ outcome }) => outcome === 'ok');
    return ok ? Array.from({ length: ok.events }, (_, n) => ok.id! + n) : [];
  });
}

export interface Tally {
  attempted: number;
  acknowledged: number;
  unknown: number;
  /** The longest time between two acknowledgements, in ms. */
  longestGapMs: number;
}

/** How many events were asked for, and what became of them. */
export function tally(operations: readonly Operation[]): Tally {
  const sum = { attempted: 0, acknowledged: 0, unknown: 0 };
  for (const same of createsByIdentity(operations).values()) {
    const { events } = same[0]!;
    sum.attempted += events;
    if (same.some(({ outcome }) => outcome === 'ok')) sum.acknowledged += events;
    else if (same.some(({ outcome }) => outcome !== 'failed')) sum.unknown += events;
  }
  const times = operations
    .filter((operation) => isCreate(operation) && operation.outcome === 'ok')
    .map(({ answeredAt }) => answeredAt!)
    .toSorted((a, b) => a - b);
  const gaps = times.slice(1).map((time, n) => time - times[n]!);
  return { ...sum, longestGapMs: Math.round(gaps.reduce((a, b) => Math.max(a, b), 0)) };
}
