import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { spawnChild } from '../../start/child-process.ts';

/** Runs a load generator to its end and resolves to what it printed; `signal` ends it before. */
export async function runLoad(command: string, args: string[], signal: AbortSignal): Promise<string> {
  const child = spawnChild(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const stop = () => void child.kill('SIGKILL');
  signal.addEventListener('abort', stop);
  try {
    const [printed, complained, [status]] = await Promise.all([
      text(child.stdout!),
      text(child.stderr!),
      once(child, 'exit') as Promise<[number | null]>,
    ]);
    signal.throwIfAborted();
    if (status !== 0) throw new Error(`${command} ended with ${status}: ${complained.trim() || printed.trim()}`);
    return printed;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
