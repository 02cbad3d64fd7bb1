import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { spawnChild } from '../start/child-process.ts';

export interface MainProcess {
  child: ChildProcess;
  /** Resolves once it has logged a line whose message matches. */
  said: (what: RegExp) => Promise<void>;
}

/** A `main.ts` of ours in a process of its own, whose log is read. */
export function startProcess(main: string, env: Record<string, string>): MainProcess {
  const child = spawnChild(process.execPath, [main], {
    env: { ...process.env, LOG_FORMAT: 'json', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const messages: string[] = [];
  const waiting = new Set<() => void>();
  createInterface({ input: child.stdout! }).on('line', (line) => {
    messages.push((JSON.parse(line) as { msg: string }).msg);
    for (const look of waiting) look();
  });
  return {
    child,
    said: (what) =>
      new Promise((resolve) => {
        const look = () => {
          if (!messages.some((message) => what.test(message))) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      }),
  };
}
