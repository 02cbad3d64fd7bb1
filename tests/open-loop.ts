import { type Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Answer {
  /** The status, or the code of what went wrong before there was one. */
  status: number | string;
  headers: Record<string, unknown>;
  body: string;
  /** From the request to the end of its answer. */
  ms: number;
}

/** One POST without a body, never repeated; resolves whatever becomes of it. */
export function post(agent: Agent, port: number, path: string): Promise<Answer> {
  const startedAt = performance.now();
  return new Promise((resolve) => {
    const end = (status: number | string, headers: Answer['headers'] = {}, body = '') =>
      resolve({ status, headers, body, ms: performance.now() - startedAt });
    const sent = request({ host: '127.0.0.1', port, path, method: 'POST', agent }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (piece: string) => {
        body += piece;
      });
      response.on('end', () => end(response.statusCode!, response.headers, body));
      response.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
    });
    sent.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
    sent.end();
  });
}

/** Calls `send` so often a second, however long what it starts takes, until `signal` is aborted. */
export async function sendAtRate(perSecond: number, send: (n: number) => void, signal: AbortSignal): Promise<void> {
  const startedAt = performance.now();
  for (let sent = 0; !signal.aborted; ) {
    const due = ((performance.now() - startedAt) / 1_000) * perSecond;
    for (; sent < due; sent++) send(sent);
    await sleep(2);
  }
}

/** How many there are of each. */
export function tally(outcomes: readonly string[]): Record<string, number> {
  const groups = Object.entries(Object.groupBy(outcomes, (outcome) => outcome));
  return Object.fromEntries(groups.map(([outcome, those]) => [outcome, those!.length]));
}
