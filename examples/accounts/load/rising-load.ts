import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, readExtrato, sendTransaction, type TransactionAnswer } from './client.ts';

export interface RisingLoad {
  front: string;
  /** Once it has risen. */
  perSecond: { debits: number; credits: number; extratos: number };
  risingSeconds: number;
  steadySeconds: number;
  signal?: AbortSignal;
}

type Timed = { ms: number };

export interface Answers {
  transactions: (TransactionAnswer & Timed)[];
  extratos: (Answer & Timed)[];
}

/** The load that the system is judged by. */
export const JUDGED = {
  perSecond: { debits: 220, credits: 110, extratos: 10 },
  risingSeconds: 120,
  steadySeconds: 120,
};

const CLIENTS = 5;
const LARGEST_VALOR = 10_000;

/**
 * Sends each request when it is due, whether or not others are answered; its latency counts from that moment. Resolves when
 * the last is answered.
 */
export async function sendRisingLoad(load: RisingLoad): Promise<Answers> {
  const { front, perSecond } = load;
  const transaction = (tipo: string) => () =>
    sendTransaction(front, { client: randomClient(), valor: randomValor(), tipo });
  const [debits, credits, extratos] = await Promise.all([
    sendWhenDue(load, perSecond.debits, transaction('d')),
    sendWhenDue(load, perSecond.credits, transaction('c')),
    sendWhenDue(load, perSecond.extratos, () => readExtrato(front, randomClient())),
  ]);
  return { transactions: [...debits, ...credits], extratos };
}

const randomClient = () => 1 + Math.floor(Math.random() * CLIENTS);
const randomValor = () => 1 + Math.floor(Math.random() * LARGEST_VALOR);

async function sendWhenDue<A>(load: RisingLoad, perSecond: number, sendOne: () => Promise<A>): Promise<(A & Timed)[]> {
  const startedAt = performance.now();
  const elapsed = () => (performance.now() - startedAt) / 1_000;
  const total = Math.floor(countUntil(load, perSecond, load.risingSeconds + load.steadySeconds));
  const answers: Promise<A & Timed>[] = [];
  while (answers.length < total && !load.signal?.aborted) {
    const from = elapsed();
    await sleep(2);
    const due = Math.min(total, Math.floor(countUntil(load, perSecond, elapsed()))) - answers.length;
    for (let nth = 0; nth < due; nth++) {
      // Of those that fell due during the pause, as if it were spread over it.
      const dueAt = startedAt + 1_000 * (from + ((nth + 1) / due) * (elapsed() - from));
      answers.push(sendOne().then((answer) => ({ ...answer, ms: performance.now() - dueAt })));
    }
  }
  return Promise.all(answers);
}

/** From one a second to `perSecond` while it rises. */
function countUntil({ risingSeconds, steadySeconds }: RisingLoad, perSecond: number, seconds: number): number {
  const rising = Math.min(seconds, risingSeconds);
  const steady = Math.min(Math.max(0, seconds - risingSeconds), steadySeconds);
  const slope = risingSeconds === 0 ? 0 : (perSecond - 1) / risingSeconds;
  return rising + (slope * rising ** 2) / 2 + perSecond * steady;
}
