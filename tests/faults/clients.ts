import { setTimeout as sleep } from 'node:timers/promises';
import { EFFECT_KINDS } from './effects.ts';
import type { Ledger, Operation } from './ledger.ts';
import type { Random } from './random.ts';
import type { NewTask, Task } from './runs.ts';
import type { FaultSystem } from './system.ts';

export interface ClientsOptions {
  /** How many requests are under way at once. */
  lanes?: number;
  /** The share of create-sync among the creates. */
  sync?: number;
  /** Requests ask for up to this many events. */
  most?: number;
  /** The share of events of other kinds than words among the creates; the system needs handlers. @default 0 */
  tasks?: number;
  /** The share of acknowledged creates that are read at once, through another producer. @default 0 */
  reads?: number;
  /** Pause of a lane between two requests. */
  pauseMs?: number;
  /** Seconds after which a create-sync wants its answer, filled or not. Default: no limit. */
  waitSeconds?: number;
  /** The share of creates with an Idempotency-Key, each repeated until it is acknowledged. */
  keys?: number;
  /** After this long without an answer a request counts as hung. */
  deadlineMs?: number;
  /** What they talk to; default: the front of the system, in turn. */
  fronts?: readonly string[];
}

export interface Clients {
  /** Takes up no new requests and resolves when those under way have ended. */
  stop: () => Promise<void>;
}

/** Clients that create, ask and count in lanes until they are stopped, and write all of it into the ledger. */
export function startClients(system: FaultSystem, random: Random, options: ClientsOptions = {}): Clients {
  const {
    lanes = 8,
    sync = 0.2,
    most = 3,
    pauseMs = 5,
    keys = 0,
    tasks = 0,
    reads = 0,
    deadlineMs = 20_000,
    waitSeconds,
  } = options;
  const fronts = options.fronts ?? system.fronts;
  let isStopped = false;
  let keysGiven = 0;
  const lane = async (n: number, own: Random) => {
    for (let turn = 0; !isStopped; turn++) {
      // A repeat may go to any producer, and must not wait for one that is gone.
      const send = (repeat = 0) => ({
        front: fronts[(n + turn + repeat) % fronts.length]!,
        ledger: system.ledger,
        deadlineMs,
        waitSeconds,
      });
      const lot = own.next();
      if (lot < 0.05) await count(send());
      else if (lot < 0.1) await find(send(), own.between(1, 50));
      else {
        const isTask = own.chance(tasks);
        const kind = !isTask && own.chance(sync) ? 'create-sync' : 'create-async';
        const events = kind === 'create-sync' ? 1 : own.between(1, most);
        const what = isTask ? { tasks: Array.from({ length: events }, () => randomTask(own)) } : {};
        const key = own.chance(keys) ? `key-${++keysGiven}` : undefined;
        for (let repeat = 0; ; repeat++) {
          const { outcome, id } = await create(send(repeat), { kind, events, ...what, ...(key ? { key } : {}) });
          if (outcome === 'ok' && own.chance(reads)) await find(send(repeat + 1), id!);
          if (outcome === 'ok' || !key) break;
          await sleep(50);
        }
      }
      await sleep(pauseMs);
    }
  };
  const all = Promise.all(Array.from({ length: lanes }, (_, n) => lane(n, random.fork())));
  return {
    async stop() {
      isStopped = true;
      await all;
    },
  };
}

interface Dispatcher {
  close: () => Promise<void>;
  constructor: new () => Dispatcher;
}
// Where `fetch` of Node 26 has its connections.
const DISPATCHER = Symbol.for('undici.globalDispatcher.2');

/** Ends the idle connections of all clients; a producer that ends would wait for them for four seconds. */
export async function closeConnections(): Promise<void> {
  const before = Reflect.get(globalThis, DISPATCHER) as Dispatcher | undefined;
  if (!before) return;
  Reflect.set(globalThis, DISPATCHER, new before.constructor());
  await before.close();
}

/** For one event, for many, and with an effect. */
export const TASK_KINDS = ['task', 'bulk', ...EFFECT_KINDS];
const DOES: Task['does'][] = ['answer', 'answer', 'answer', 'fail once', 'wait twice'];

/** Of these kinds, half of them with one of a few ordering keys. */
function randomTask(random: Random): NewTask {
  return {
    kind: random.pick(TASK_KINDS),
    payload: { does: random.pick(DOES), ms: random.between(0, 10) },
    ...(random.chance(0.5) ? { key: `key-${random.between(1, 30)}` } : {}),
    ...(random.chance(0.1) ? { delayMs: random.between(1, 200) } : {}),
  };
}

interface Sending {
  front: string;
  ledger: Ledger;
  deadlineMs?: number;
  waitSeconds?: number | undefined;
  /** The client goes away when it is aborted. */
  leave?: AbortSignal;
}

interface NewCreate extends Partial<Pick<Operation, 'events' | 'key'>> {
  kind: 'create-async' | 'create-sync';
  /** Events of other kinds than words. */
  tasks?: readonly NewTask[];
}

export async function create(
  sending: Sending,
  { kind, tasks, events = tasks?.length ?? 1, key }: NewCreate,
): Promise<Operation> {
  const operation = sending.ledger.begin({ kind, events, front: sending.front, ...(key ? { key } : {}) });
  const path = events > 1 && !tasks ? `/${kind}?count=${events}` : `/${kind}`;
  const headers = {
    ...(key ? { 'Idempotency-Key': key } : {}),
    ...(tasks ? { 'Content-Type': 'application/json' } : {}),
    ...(sending.waitSeconds === undefined ? {} : { Prefer: `wait=${sending.waitSeconds}` }),
  };
  const body = tasks ? { body: JSON.stringify({ events: tasks }) } : {};
  await send(sending, operation, path, { method: 'POST', headers, ...body });
  return operation;
}

async function count(sending: Sending): Promise<Operation> {
  const operation = sending.ledger.begin({ kind: 'count', events: 0, front: sending.front });
  await send(sending, operation, '/', {});
  return operation;
}

async function find(sending: Sending, id: number): Promise<void> {
  await send(sending, sending.ledger.begin({ kind: 'find', events: 0, front: sending.front, id }), `/${id}`, {});
}

interface Answer {
  id?: number;
  valor?: string | null;
  events?: number;
  outcome?: string;
  status?: number | string;
}

/** Sends a request and writes down what came of it; never rejects. */
async function send(sending: Sending, operation: Operation, path: string, init: RequestInit): Promise<void> {
  const { front, ledger, deadlineMs = 20_000, leave } = sending;
  const deadline = AbortSignal.timeout(deadlineMs);
  try {
    const signal = leave ? AbortSignal.any([deadline, leave]) : deadline;
    const response = await fetch(`${front}${path}`, { ...init, signal });
    const answer = (await response.json()) as Answer;
    ledger.end(operation, toResult(operation, response, answer));
  } catch (error) {
    if (leave?.aborted) return ledger.end(operation, { outcome: 'left' });
    if (deadline.aborted) return ledger.end(operation, { outcome: 'unknown', isHung: true });
    const neverArrived = String((error as Error).cause).includes('ECONNREFUSED');
    ledger.end(operation, { outcome: neverArrived ? 'failed' : 'unknown', isCut: true });
  }
}

const EXPECTED: Record<Operation['kind'], number[]> = {
  'create-async': [202, 429, 503],
  'create-sync': [201, 202, 429, 503],
  count: [200, 503],
  find: [200, 404, 503],
};

function toResult(operation: Operation, response: Response, answer: Answer) {
  const { status, headers } = response;
  const isProblem = status >= 400;
  const base = {
    status,
    ...(EXPECTED[operation.kind].includes(status) ? {} : { undocumented: `${status} ${JSON.stringify(answer)}` }),
    ...(isProblem && headers.get('content-type') !== 'application/problem+json' ? { undocumented: 'no problem' } : {}),
  };
  if (isProblem) {
    const mayBeApplied = answer.outcome === 'unknown' || (status >= 500 && status !== 503);
    return { ...base, outcome: mayBeApplied ? ('unknown' as const) : ('failed' as const) };
  }
  return {
    ...base,
    outcome: 'ok' as const,
    ...(answer.id === undefined ? {} : { id: answer.id }),
    ...(typeof answer.valor === 'string' ? { word: answer.valor } : {}),
    ...(answer.events === undefined ? {} : { count: answer.events }),
  };
}
