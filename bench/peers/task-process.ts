import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Answer, Task } from './task.ts';

// No task takes nearly as long; one that does waits for something that will not come.
const TASK_LIMIT_MS = 300_000;
const CHILD = fileURLToPath(new URL('child.ts', import.meta.url));

/** Has a process of its own do a task, and resolves to its answer. */
export async function runTask(task: Task, signal: AbortSignal): Promise<Answer> {
  const child = startTask(task, signal);
  try {
    return await answerOf(child);
  } finally {
    await release(child);
  }
}

/** The process of a task that goes on until it is released. It is killed when `signal` is aborted. */
export function startTask(task: Task, signal: AbortSignal): ChildProcess {
  signal.throwIfAborted();
  const child = fork(CHILD, [JSON.stringify(task)]);
  const end = AbortSignal.any([signal, AbortSignal.timeout(TASK_LIMIT_MS)]);
  const kill = () => void child.kill('SIGKILL');
  end.addEventListener('abort', kill);
  child.once('exit', () => end.removeEventListener('abort', kill));
  return child;
}

/** What the process says first; rejects if it ends without a word. */
export function answerOf(child: ChildProcess): Promise<Answer> {
  return new Promise((resolve, reject) => {
    child.once('message', (answer) => resolve(answer as Answer));
    child.once('exit', (code, name) => reject(new Error(`a child process ended with ${code ?? name}`)));
  });
}

/** Lets go of the process, which then ends by itself. */
export async function release(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  if (child.connected) child.disconnect();
  await ended;
}
