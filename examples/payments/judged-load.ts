import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

/** The load that the system is judged by, for its test and the bench: callers that get more, and processors that get worse. */

export interface Load {
  front: string;
  processors: Record<Name, string>;
  /** At the end; they begin with one. Each posts, then sleeps a second. */
  users: number;
  seconds: number;
  /** Of both processors, each for a sixth of the time; none in the last sixth. */
  delaysMs: readonly number[];
}

type Name = 'default' | 'fallback';
type Totals = { totalRequests: number; totalAmount: number };

export interface Accepted {
  /** Correlation id to cents. */
  payments: Map<string, number>;
  /** Of each POST that was answered 202, in ms. */
  latencies: number[];
  /** POSTs that had another answer, or none, and were repeated with the same correlationId. */
  repeats: number;
  startedAt: number;
  endedAt: number;
}

/** Who is failing from when to when, as shares of the time; for a while both are. */
const FAILURES: readonly [name: Name, from: number, to: number][] = [
  ['default', 0.2, 0.4],
  ['fallback', 0.35, 0.4],
  ['fallback', 0.7, 0.8],
];

/** Resolves when every payment that a caller began is accepted. */
export async function runJudgedLoad(load: Load): Promise<Accepted> {
  const [accepted] = await Promise.all([postPayments(load), makeWorse(load)]);
  return accepted;
}

/** The callers alone. */
export async function postPayments(load: Pick<Load, 'front' | 'users' | 'seconds'>): Promise<Accepted> {
  const accepted: Accepted = { payments: new Map(), latencies: [], repeats: 0, startedAt: Date.now(), endedAt: 0 };
  const endAt = accepted.startedAt + load.seconds * 1_000;
  const user = async (_: unknown, index: number) => {
    await sleep((load.seconds * 1_000 * index) / load.users);
    while (Date.now() < endAt) {
      await postUntilAccepted(load.front, accepted);
      await sleep(1_000);
    }
  };
  await Promise.all(Array.from({ length: load.users }, user));
  accepted.endedAt = Date.now();
  return accepted;
}

async function postUntilAccepted(front: string, accepted: Accepted): Promise<void> {
  const correlationId = randomUUID();
  const cents = 1 + Math.floor(Math.random() * 10_000);
  for (;;) {
    const startedAt = performance.now();
    const status = await postPayment(front, { correlationId, amount: cents / 100 });
    if (status === 202) {
      accepted.latencies.push(performance.now() - startedAt);
      accepted.payments.set(correlationId, cents);
      return;
    }
    accepted.repeats++;
    await sleep(200 + Math.random() * 300);
  }
}

/** Resolves to the status, and to 0 when there was no answer. */
export async function postPayment(front: string, payment: object): Promise<number> {
  try {
    const request = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(payment) };
    const response = await fetch(`${front}/payments`, { ...request, signal: AbortSignal.timeout(10_000) });
    await response.arrayBuffer();
    return response.status;
  } catch {
    return 0;
  }
}

async function makeWorse({ processors, seconds, delaysMs }: Load): Promise<void> {
  const at = async (share: number, act: () => Promise<unknown>) => {
    await sleep(share * seconds * 1_000);
    await act();
  };
  const delays = [...delaysMs, 0].map((delay, index) =>
    at(index / 6, () => Promise.all(Object.values(processors).map((url) => configure(url, 'delay', { delay })))),
  );
  const failures = FAILURES.flatMap(([name, from, to]) => [
    at(from, () => configure(processors[name], 'failure', { failure: true })),
    at(to, () => configure(processors[name], 'failure', { failure: false })),
  ]);
  await Promise.all([...delays, ...failures]);
}

export async function configure(url: string, what: 'delay' | 'failure', body: object): Promise<void> {
  await fetch(`${url}/admin/configurations/${what}`, { method: 'PUT', body: JSON.stringify(body) });
}

export async function totalsOf(url: string, range = ''): Promise<Totals> {
  return (await (await fetch(`${url}/admin/payments-summary${range}`)).json()) as Totals;
}

export async function summaryOf(front: string, range = ''): Promise<Record<Name, Totals>> {
  return (await (await fetch(`${front}/payments-summary${range}`)).json()) as Record<Name, Totals>;
}

/** How many payments the summary has. */
export async function countRecorded(front: string): Promise<number> {
  const { default: cheaper, fallback } = await summaryOf(front);
  return cheaper.totalRequests + fallback.totalRequests;
}

/** How many payments both processors have. */
export async function countPaid({ processors }: Pick<Load, 'processors'>): Promise<number> {
  const totals = await Promise.all(Object.values(processors).map((url) => totalsOf(url)));
  return totals.reduce((sum, { totalRequests }) => sum + totalRequests, 0);
}

/** Of these payments, how many are at no processor, and how many at both. */
export async function findMispaid({ processors }: Pick<Load, 'processors'>, ids: Iterable<string>) {
  const found = { missing: 0, twice: 0 };
  const queue = [...ids];
  const lookUp = async () => {
    for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
      const answers = await Promise.all(Object.values(processors).map((url) => fetch(`${url}/payments/${id}`)));
      await Promise.all(answers.map((answer) => answer.arrayBuffer()));
      const at = answers.filter(({ status }) => status === 200).length;
      if (at === 0) found.missing++;
      if (at === 2) found.twice++;
    }
  };
  await Promise.all(Array.from({ length: 20 }, lookUp));
  return found;
}

/** Of this window: whether the summary and the processors agree, on each processor's number and amount. */
export async function isConsistent(
  { front, processors }: Pick<Load, 'front' | 'processors'>,
  from: number,
  to: number,
) {
  const range = `?from=${new Date(from).toISOString()}&to=${new Date(to).toISOString()}`;
  const [ours, ...theirs] = await Promise.all([
    summaryOf(front, range),
    totalsOf(processors.default, range),
    totalsOf(processors.fallback, range),
  ]);
  return JSON.stringify([ours.default, ours.fallback]) === JSON.stringify(theirs);
}

/** Windows between two moments, long and short, at random places; of them, how many are inconsistent. */
export async function countInconsistent(
  system: Pick<Load, 'front' | 'processors'>,
  { startedAt, endedAt }: Pick<Accepted, 'startedAt' | 'endedAt'>,
  windows: number,
): Promise<number> {
  let inconsistent = 0;
  for (let n = 0; n < windows; n++) {
    const length = (endedAt - startedAt) * Math.random() ** 2;
    const from = Math.floor(startedAt + Math.random() * (endedAt - startedAt - length));
    if (!(await isConsistent(system, from, from + Math.floor(length)))) inconsistent++;
  }
  return inconsistent;
}
