import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/**
 * A real server whose n-th call meets the n-th answer, and every later one the last; it ends with the test. `asked`: the
 * paths that were called. `open`: the calls under way.
 */
export async function startReceiver(...answers: RequestListener[]) {
  const asked: string[] = [];
  const open = new Set<ServerResponse>();
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    open.add(response.once('close', () => open.delete(response)));
    answers[Math.min(asked.length, answers.length) - 1]!(request, response);
  });
  return { server, asked, open, url: await listen(server) };
}

async function listen(server: Server): Promise<string> {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/api`;
}

export const answer =
  (status: number, headers: Record<string, string> = {}, body: string | Buffer = ''): RequestListener =>
  (_, response) =>
    void response.writeHead(status, headers).end(body);

/** Headers and the first byte, then nothing. */
export const headersOnly: RequestListener = (_, response) => void response.writeHead(200).write('[');

/** A byte every 10 ms, without end. */
export const drip: RequestListener = (_, response) => {
  response.writeHead(200);
  const timer = setInterval(() => response.write(' '), 10);
  response.on('close', () => clearInterval(timer));
};

/** As much as the other side takes, without end. */
export const endless: RequestListener = (_, response) => {
  const fill = () => {
    while (!response.destroyed && response.write('[{"word":"mar"},'.repeat(1_000)));
  };
  response.on('drain', fill);
  fill();
};

export async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
