import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasEnded, spawnChild, stopProcess } from './child-process.ts';

/** A part of the system, as something that can be started. */
export interface Part {
  name: string;
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
  /** Answers 2xx when the part can be used; without it the part counts as ready when it runs. */
  readyUrl?: string;
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
  const { name, command, args, env, readyUrl, say, stopSignal, stopLimitMs } = options;
  const start = async (signal: AbortSignal) => {
    const child = spawnChild(command, args(), { env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const output of [child.stdout, child.stderr]) createInterface({ input: output! }).on('line', say);
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()).once('error', () => resolve()));
    if (readyUrl) await waitUntilReady(name, child, readyUrl, signal);
    return { ended, stop: () => stopProcess(child, stopLimitMs, stopSignal) };
  };
  return { name, start };
}

async function waitUntilReady(name: string, child: ChildProcess, url: string, signal: AbortSignal): Promise<void> {
  const giveUpAt = Date.now() + READY_LIMIT_MS;
  for (;;) {
    const answer = await answerOf(url);
    if (answer === 'ok' || signal.aborted) return;
    if (hasEnded(child)) throw new Error(`${name} ended before it was ready; its lines above say why`);
    if (Date.now() > giveUpAt) {
      await stopProcess(child, 0);
      throw new Error(`${name} was not ready within ${READY_LIMIT_MS / 1_000} s: ${url} answers ${answer}`);
    }
    await sleep(25);
  }
}

/** Whether this is answered 2xx within a second. */
export async function answers(url: string): Promise<boolean> {
  return (await answerOf(url)) === 'ok';
}

async function answerOf(url: string): Promise<string> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(1_000) });
    await response.body?.cancel();
    return response.ok ? 'ok' : String(response.status);
  } catch (error) {
    const { message, cause } = error as Error;
    return `nothing (${cause instanceof Error ? cause.message : message})`;
  }
}
