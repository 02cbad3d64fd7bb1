import { setTimeout as sleep } from 'node:timers/promises';
import { sendAtRate } from './open-loop.ts';

interface CreateRequest {
  /** Its payload: no two have the same. */
  n: number;
  front: string;
  answeredAt: number;
  /** The HTTP status, or what fetch says. */
  status: number | string;
  /** Of an acknowledged one. */
  id?: number;
  /** Why, of a refused one. */
  detail?: string;
}

interface CreateLoadOptions {
  fronts: readonly string[];
  perSecond: number;
  /** One of so many that were acknowledged is read. */
  readEach: number;
}

export interface CreateLoad {
  creates: CreateRequest[];
  /** The statuses of GET /{id} for acknowledged ids, asked at once, of another producer. */
  reads: { id: number; status: number | string }[];
  /** Resolves to the first create that is acknowledged from now on, by the producer at `front` or by any. */
  next: (front?: string) => Promise<CreateRequest>;
  /** Resolves when all that were sent are answered. */
  stop: () => Promise<void>;
}

const DEADLINE_MS = 30_000;

/** Clients that create events one by one, none twice, and read what was acknowledged. */
export function startCreateLoad({ fronts, perSecond, readEach }: CreateLoadOptions): CreateLoad {
  const over = new AbortController();
  const creates: CreateRequest[] = [];
  const reads: CreateLoad['reads'] = [];
  const underWay: Promise<void>[] = [];

  async function createAndRead(n: number): Promise<void> {
    const front = fronts[n % fronts.length]!;
    const [status, body] = await ask(`${front}/create-async`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ payload: { n } }),
    });
    const answer = { n, front, status, answeredAt: performance.now() };
    const { id, detail } = (body ?? {}) as { id: number; detail?: string };
    if (status !== 202) return void creates.push({ ...answer, ...(detail ? { detail } : {}) });
    creates.push({ ...answer, id });
    if (n % readEach !== 0) return;
    const [read] = await ask(`${fronts[(n + 1) % fronts.length]}/${id}`);
    reads.push({ id, status: read });
  }

  const sending = sendAtRate(perSecond, (n) => underWay.push(createAndRead(n)), over.signal);
  return {
    creates,
    reads,
    async next(front) {
      for (let from = creates.length; ; await sleep(2)) {
        const found = creates.slice(from).find(({ id, front: its }) => id !== undefined && (front ?? its) === its);
        if (found) return found;
      }
    },
    async stop() {
      over.abort();
      await sending;
      await Promise.all(underWay);
    },
  };
}

async function ask(url: string, init: RequestInit = {}): Promise<[status: number | string, body?: unknown]> {
  try {
    const response = await fetch(url, { ...init, signal: AbortSignal.timeout(DEADLINE_MS) });
    return [response.status, await response.json()];
  } catch (error) {
    const { cause, message } = error as Error & { cause?: { code?: string } };
    return [cause?.code ?? message];
  }
}
