import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One call of the word service. */
export interface WordCall {
  /** Whose: each consumer has a path of its own. */
  consumer: string;
  at: number;
  words: number;
}

/** Answers a call in place of the service, or not at all. Words that it does not issue must never reach the table. */
export type WordFault = (response: ServerResponse, words: number, request: IncomingMessage) => void;

/**
 * A word service that gives every word once and remembers to whom: `GET /{consumer}/api?words=N`. So whatever stands in
 * the table can be held against the claim for which it was issued.
 */
export interface UniqueWords extends AsyncDisposable {
  urlFor: (consumer: string) => string;
  calls: readonly WordCall[];
  /** Which call a word was given to. */
  issued: ReadonlyMap<string, WordCall>;
  /** Of all consumers; undefined: it works again. */
  fail: (fault: WordFault | undefined) => void;
  /** Holds the calls of one consumer until `release`. */
  hold: (consumer: string) => HeldCalls;
  /** As if nobody listened. */
  refuse: (on: boolean) => Promise<void>;
  /** Connections that are open now. */
  connections: () => Promise<number>;
}

interface HeldCalls {
  /** How many wait. */
  waiting: () => number;
  release: () => void;
}

export async function startUniqueWords(): Promise<UniqueWords> {
  const calls: WordCall[] = [];
  const issued = new Map<string, WordCall>();
  const held = new Map<string, { waiting: number; released: Promise<void> }>();
  let fault: WordFault | undefined;

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url!, 'http://words');
    const call = { consumer: pathname.split('/')[1]!, at: performance.now(), words: Number(searchParams.get('words')) };
    calls.push(call);
    const gate = held.get(call.consumer);
    if (gate) gate.waiting++;
    await gate?.released;
    if (fault) return fault(response, call.words, request);
    const words = Array.from({ length: call.words }, () => {
      const word = inLetters(issued.size);
      issued.set(word, call);
      return { word };
    });
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(words));
  }

  const server = createServer((request, response) => void respond(request, response));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    urlFor: (consumer) => `http://127.0.0.1:${port}/${consumer}/api`,
    calls,
    issued,
    fail: (next) => {
      fault = next;
    },
    hold(consumer) {
      const { promise: released, resolve } = Promise.withResolvers<void>();
      const gate = { waiting: 0, released };
      held.set(consumer, gate);
      return {
        waiting: () => gate.waiting,
        release: () => {
          if (held.get(consumer) === gate) held.delete(consumer);
          resolve();
        },
      };
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

/** A consumer takes letters only. */
function inLetters(number: number): string {
  return `w${number.toString(26).replaceAll(/./g, (digit) => String.fromCharCode(97 + Number.parseInt(digit, 26)))}`;
}
