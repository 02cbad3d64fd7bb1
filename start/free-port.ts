import { createServer } from 'node:net';

// Linux gives its outgoing connections ports from 32,768 on, macOS from 49,152. One of those could be taken before whoever
// it is for listens, or while a server that was killed starts again.
const FIRST = 20_000;
const PORTS = 32_768 - FIRST;
// Processes that run at the same time begin far from each other: in steps of the golden section of all ports.
let next = process.pid * 7_891;

/** A port of 127.0.0.1 that nobody uses now, that no outgoing connection takes, and that this process gave to nobody yet. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + (next++ % PORTS);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
      .once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? resolve(false) : reject(error)))
      .listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}
