import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Lets us, and the processes that we start from now on, have so many connections. Rejects with what to do if not. */
export async function allowOpenFiles(wanted: number): Promise<void> {
  const [, hard] = /^Max open files\s+\d+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
  if (hard === undefined || Number(hard) >= wanted) return; // Node raises its soft limit to the hard one by itself
  try {
    await run('prlimit', ['--pid', String(process.pid), `--nofile=${wanted}:${wanted}`]);
  } catch (cause) {
    throw new Error(`only ${hard} files can be open at once; raise it: ulimit -Hn ${wanted}`, { cause });
  }
}
