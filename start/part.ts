import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasEnded, spawnChild, stopProcess } from './child-process.ts';

/** A part of the system while it runs. */
export interface RunningPart {
  name: string;
  /** Resolves when it has ended, for whatever reason. */
  ended: Promise<void>;
  stop: () => Promise<void>;
}

export interface ProcessPart {
  name: string;
  command: string;
  args: string[];
  env: Record<string, string | undefined>;
  /** Answers 2xx when the part can be used; without it the part counts as ready when it runs. */
  readyUrl?: string;
  /** Each line that it writes. */
  say: (line: string) => void;
  stopSignal?: NodeJS.Signals;
}

const READY_LIMIT_MS = 30_000;

/**
 * Starts a process and resolves when it is ready. Rejects if it ends before, or is not ready within half a minute. When
 * it is stopped and has not ended within `stopLimitMs`, it is killed.
 */
export async function startProcess(part: ProcessPart, stopLimitMs: number): Promise<RunningPart> {
  const { name, command, args, env, readyUrl, say, stopSignal } = part;
  const child = spawnChild(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  for (const output of [child.stdout, child.stderr]) createInterface({ input: output! }).on('line', say);
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()).once('error', () => resolve()));
  if (readyUrl) await waitUntilReady(name, child, readyUrl);
  return { name, ended, stop: () => stopProcess(child, stopLimitMs, stopSignal) };
}

async function waitUntilReady(name: string, child: ChildProcess, url: string): Promise<void> {
  const giveUpAt = Date.now() + READY_LIMIT_MS;
  while (!(await answers(url))) {
    if (hasEnded(child)) throw new Error(`${name} ended before it was ready`);
    if (Date.now() > giveUpAt) {
      await stopProcess(child, 0);
      throw new Error(`${name} was not ready within ${READY_LIMIT_MS / 1_000} s`);
    }
    await sleep(25);
  }
}

/** Whether this is answered 2xx within a second. */
export async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(1_000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

/**
 * Keeps a part running until it is told to stop: one that ends by itself is started again after a second. So a
 * student can kill any process and watch the system recover.
 */
export async function keepRunning(
  start: () => Promise<RunningPart>,
  say: (line: string) => void,
): Promise<RunningPart> {
  let part = await start();
  const stopping = new AbortController();
  const watched = (async () => {
    while (!stopping.signal.aborted) {
      await part.ended;
      if (stopping.signal.aborted) return;
      say(`${part.name} ended unexpectedly and is started again`);
      await sleep(1_000, undefined, { signal: stopping.signal }).catch(() => {});
      if (stopping.signal.aborted) return;
      part = await start().catch((error: unknown) => {
        say(String(error));
        return part;
      });
    }
  })();
  return {
    name: part.name,
    ended: watched,
    async stop() {
      stopping.abort();
      await part.stop();
      await watched;
      await part.stop();
    },
  };
}
