import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasEnded, spawnChild, stopProcess } from './child-process.ts';

/** A part of the system, as something that can be started. */
export interface Part {
  name: string;
  /** How long after it ended by itself it is started again. @default 1_000 */
  restartAfterMs?: number;
  /** Resolves when it is ready, or `signal` is aborted; rejects with a sentence if it cannot be. */
  start: (signal: AbortSignal) => Promise<RunningPart>;
}

export interface RunningPart {
  /** Resolves when it has ended, for whatever reason. */
  ended: Promise<void>;
  stop: () => Promise<void>;
}

export interface PartProcess {
  name: string;
  command: string;
  args: () => string[];
  env: Record<string, string | undefined>;
  /** Resolves to why the part cannot be used yet, or to nothing. Without it the part counts as ready when it runs. */
  whyNotReady?: () => Promise<string | undefined>;
  /** Each line that it writes. */
  say: (line: string) => void;
  /** @default SIGTERM */
  stopSignal?: NodeJS.Signals;
  /** From that signal to SIGKILL. */
  stopLimitMs: number;
}

const READY_LIMIT_MS = 30_000;

/** A part that is a process of its own. It must be ready within half a minute. */
export function processPart(options: PartProcess): Part {
  const { name, command, args, env, whyNotReady, say, stopSignal, stopLimitMs } = options;
  const start = async (signal: AbortSignal) => {
    const child = spawnChild(command, args(), { env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const output of [child.stdout, child.stderr]) createInterface({ input: output! }).on('line', say);
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()).once('error', () => resolve()));
    if (whyNotReady) await waitUntilReady(name, child, whyNotReady, signal);
    return { ended, stop: () => stopProcess(child, stopLimitMs, stopSignal) };
  };
  return { name, start };
}

async function waitUntilReady(
  name: string,
  child: ChildProcess,
  whyNotReady: () => Promise<string | undefined>,
  signal: AbortSignal,
): Promise<void> {
  const giveUpAt = Date.now() + READY_LIMIT_MS;
  for (;;) {
    const why = await whyNotReady();
    if (why === undefined || signal.aborted) return;
    if (hasEnded(child)) throw new Error(`${name} ended before it was ready; its lines above say why`);
    if (Date.now() > giveUpAt) {
      await stopProcess(child, 0);
      throw new Error(`${name} was not ready within ${READY_LIMIT_MS / 1_000} s: ${why}`);
    }
    await sleep(25);
  }
}

/** Resolves to nothing when this is answered 2xx within a second, else to what it answers. */
export async function whyNoAnswer(url: string): Promise<string | undefined> {
  try {
    // A connection that stays open would be waited for when the part stops.
    const response = await fetch(url, { headers: { Connection: 'close' }, signal: AbortSignal.timeout(1_000) });
    await response.body?.cancel();
    return response.ok ? undefined : `${url} answers ${response.status}`;
  } catch (error) {
    const { message, cause } = error as Error;
    return `${url} answers nothing (${cause instanceof Error ? cause.message : message})`;
  }
}

/** Resolves to nothing when a program of this machine takes connections on this port. */
export async function whyNoConnection(port: number): Promise<string | undefined> {
  const socket = connect({ port, host: '127.0.0.1' });
  try {
    await once(socket, 'connect');
    return undefined;
  } catch (error) {
    return (error as Error).message;
  } finally {
    socket.destroy();
  }
}
