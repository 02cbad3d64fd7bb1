import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { findProgram } from './programs.ts';

export interface TiedProcessOptions {
  stdio?: StdioOptions;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
}

// The kernel signals only who asked before we died; who asked afterwards sees that it has another parent.
const UNLESS_ORPHANED = '[ "$PPID" = "$0" ] && exec "$@"';

const untied = new Set<ChildProcess>();

/**
 * Starts a program that does not outlive us. It has a process group of its own, so that Ctrl-C in a terminal reaches
 * only us and we stop our children in order; and on Linux the kernel sends it SIGTERM if we are killed. Elsewhere we do it
 * ourselves when we end, unless we are killed.
 */
export function spawnTied(command: string, args: string[], options: TiedProcessOptions = {}): ChildProcess {
  const setpriv = findProgram('setpriv');
  if (!setpriv) return endWithUs(spawn(command, args, { ...options, detached: true }));
  const tied = ['--pdeathsig', 'TERM', '/bin/sh', '-c', UNLESS_ORPHANED, String(process.pid), command, ...args];
  return spawn(setpriv, tied, { ...options, detached: true });
}

function endWithUs(child: ChildProcess): ChildProcess {
  if (untied.size === 0) process.once('exit', () => untied.forEach((one) => one.kill()));
  untied.add(child);
  return child;
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
