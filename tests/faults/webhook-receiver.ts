import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The program at the other end of a webhook. Unless told otherwise it answers with `{}`. */
export interface WebhookReceiver extends AsyncDisposable {
  url: string;
  /** How often it was called. */
  calls: () => number;
  answerWith: (listener: RequestListener | undefined) => void;
  /** As if nobody listened. */
  refuse: (on: boolean) => Promise<void>;
  /** Connections that are open now. */
  connections: () => Promise<number>;
}

export async function startWebhookReceiver(): Promise<WebhookReceiver> {
  let calls = 0;
  let listener: RequestListener | undefined;
  const server = createServer((request, response) => {
    calls++;
    request.resume();
    response.on('error', () => {});
    if (listener) listener(request, response);
    else response.writeHead(200, { 'Content-Type': 'application/json' }).end('{}');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/hook`,
    calls: () => calls,
    answerWith: (next) => {
      listener = next;
    },
    async refuse(on) {
      if (on !== server.listening) return;
      if (!on) return void (await once(server.listen(port, '127.0.0.1'), 'listening'));
      server.close();
      server.closeAllConnections();
    },
    connections: () => new Promise((resolve) => server.getConnections((_, count) => resolve(count))),
    async [Symbol.asyncDispose]() {
      if (server.listening) server.close();
      server.closeAllConnections();
    },
  };
}
