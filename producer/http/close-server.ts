import type { Server } from 'node:http';
import { Server as NetServer } from 'node:net';
import { setImmediate } from 'node:timers/promises';

export interface CloseOptions {
  /** After this long, whoever is still connected is cut off. */
  graceMs: number;
  /** Called when listening has ended: answers must say `Connection: close` from then on, and not before. */
  listeningEnded?: () => void;
  /** Called half a second before, or when all are gone: held requests are answered now, or never. */
  letGo?: () => void;
}

// Longer than nginx's `keepalive_timeout` to the producers.
const IDLE_MS = 4_000;
// For those who have connected and wait to be accepted: as many as `backlog`, each with a request to answer.
const ACCEPT_MS = 3_000;
const QUIET_TURN_MS = 0.3;
const ANSWER_MS = 500;

/**
 * Takes no new connections and resolves when the last one is gone. No POST that is on its way is lost: docs/design.md says
 * how.
 */
export async function closeServer(server: Server, options: CloseOptions): Promise<void> {
  const { graceMs, listeningEnded = () => {}, letGo = () => {} } = options;
  const startedAt = performance.now();
  const lettingGo = setTimeout(letGo, Math.max(0, graceMs - ANSWER_MS));
  await acceptThoseWaiting(server, Math.min(ACCEPT_MS, graceMs));
  // The server's own close() would close the idle connections, too.
  const closed = new Promise<void>((resolve) => NetServer.prototype.close.call(server, () => resolve()));
  listeningEnded();
  const idle = setTimeout(() => server.closeIdleConnections(), IDLE_MS);
  const limit = setTimeout(() => server.closeAllConnections(), Math.max(0, startedAt + graceMs - performance.now()));
  await closed;
  for (const timer of [lettingGo, idle, limit]) clearTimeout(timer);
  letGo();
}

/**
 * Node accepts one connection each turn of the event loop. A quiet turn took none and was short: in a long one the next may
 * have come. After half of the time long ones count, too.
 */
async function acceptThoseWaiting(server: Server, limitMs: number): Promise<void> {
  let quietTurns = 0;
  const onConnection = () => {
    quietTurns = 0;
  };
  server.on('connection', onConnection);
  let now = performance.now();
  const giveUpAt = now + limitMs;
  const strictUntil = now + limitMs / 2;
  while (quietTurns < 3 && now < giveUpAt) {
    const beganAt = now;
    quietTurns++;
    await setImmediate();
    now = performance.now();
    if (now - beganAt > QUIET_TURN_MS && now < strictUntil) quietTurns = 0;
  }
  server.off('connection', onConnection);
}
