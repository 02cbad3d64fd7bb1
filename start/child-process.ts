import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { findProgram } from './programs.ts';

export interface ChildProcessOptions {
  stdio?: StdioOptions;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
}

// The kernel signals only a child that asked before we died; one that asked later sees that it has another parent.
const UNLESS_ORPHANED = '[ "$PPID" = "$0" ] && exec "$@"';

const withoutDeathSignal = new Set<ChildProcess>();

/**
 * Starts a program that does not outlive us: on Linux the kernel sends it SIGTERM if we are killed, elsewhere that takes
 * `endChildren`. In a process group of its own it gets no Ctrl-C, so that we stop our children in order.
 */
export function spawnChild(command: string, args: string[], options: ChildProcessOptions = {}): ChildProcess {
  const setpriv = findProgram('setpriv');
  if (!setpriv) {
    const child = spawn(command, args, { ...options, detached: true });
    withoutDeathSignal.add(child);
    return child;
  }
  const words = ['--pdeathsig', 'TERM', '/bin/sh', '-c', UNLESS_ORPHANED, String(process.pid), command, ...args];
  return spawn(setpriv, words, { ...options, detached: true });
}

/** Before we end at once: asks those children to end that the kernel does not signal. */
export function endChildren(): void {
  for (const child of withoutDeathSignal) child.kill();
}

/** Asks a process to end, and after `graceMs` ends it. Resolves when it is gone. */
export async function stopProcess(
  child: ChildProcess,
  graceMs: number,
  signal: NodeJS.Signals = 'SIGTERM',
): Promise<void> {
  if (hasEnded(child)) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  const limit = setTimeout(() => child.kill('SIGKILL'), graceMs);
  await ended;
  clearTimeout(limit);
}

export function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
}
