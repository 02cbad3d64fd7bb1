import type { ProcessorName, Receipt } from './payments.ts';

/** How an attempt to pay ended. `refused`: certainly not paid. `unknown`: paid, or not, or not yet. */
type Sent = 'paid' | 'refused' | 'unknown';

export type Processor = ReturnType<typeof connectProcessor>;

/** The client of one processor. An answer that takes longer than `answerMs` is none. */
export function connectProcessor(name: ProcessorName, url: string, answerMs: number) {
  const ask = async (path: string, options: RequestInit = {}, signals: AbortSignal[] = []) => {
    const signal = AbortSignal.any([AbortSignal.timeout(answerMs), ...signals]);
    const response = await fetch(url + path, { ...options, signal });
    return { status: response.status, text: await response.text() };
  };
  return {
    name,
    async send(receipt: Receipt, signal: AbortSignal): Promise<Sent> {
      const headers = { 'Content-Type': 'application/json' };
      const post = { method: 'POST', headers, body: JSON.stringify(receipt) };
      const answer = await ask('/payments', post, [signal]).catch(() => undefined);
      if (answer?.status === 200) return 'paid';
      return answer?.status === 429 || (answer?.status === 500 && answer.text === '') ? 'refused' : 'unknown';
    },
    /** Rejects without a clear answer. */
    async find(id: string, signal: AbortSignal): Promise<Receipt | undefined> {
      const { status, text } = await ask(`/payments/${id}`, {}, [signal]);
      if (status === 200) return JSON.parse(text) as Receipt;
      if (status === 404) return undefined;
      throw new Error(`the ${name} processor answered ${status} when it was asked for a payment`);
    },
    /** Undefined if it was asked too often. */
    async health(): Promise<{ failing: boolean; minResponseTime: number } | undefined> {
      const { status, text } = await ask('/payments/service-health');
      return status === 429 ? undefined : JSON.parse(text);
    },
  };
}
