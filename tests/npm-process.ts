import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { spawnChild } from '../start/child-process.ts';

export interface NpmProcess {
  /** All lines that the terminal showed so far. */
  lines: string[];
  /** Every process that belongs to it now. */
  processes: () => { pid: number; command: string }[];
  /** As Ctrl-C in its terminal, which reaches npm too; resolves when all has ended, to the last line that it showed. */
  interrupt: () => Promise<string | undefined>;
}

export interface NpmOptions {
  env: Record<string, string>;
  /** Part of the line that says that it is ready. */
  ready: string;
  /** Another clone. @default this one */
  cwd?: string;
}

const READY_LIMIT_MS = 90_000;

/** npm in a process group of its own like a terminal's, until it says that it is ready. It ends with the test run. */
export async function startNpm(args: string[], { env, ready, cwd = process.cwd() }: NpmOptions): Promise<NpmProcess> {
  const npm = spawnChild('npm', args, {
    cwd,
    // With bash npm's child is our process itself, which then gets a Ctrl-C twice: from the terminal, and from npm.
    env: { ...process.env, npm_config_script_shell: 'bash', DATABASE_URL: '', WORD_SERVICE_URL: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise((resolve) => npm.once('close', resolve));
  const lines: string[] = [];
  await new Promise<void>((resolve, reject) => {
    for (const output of [npm.stdout!, npm.stderr!]) {
      createInterface({ input: output }).on('line', (line) => {
        lines.push(line);
        if (line.includes(ready)) resolve();
      });
    }
    const fail = (why: string) => reject(new Error(`npm ${args[0]} ${why}:\n${lines.slice(-20).join('\n')}`));
    npm.once('exit', () => fail('ended'));
    setTimeout(() => fail('was not ready in time'), READY_LIMIT_MS).unref();
  });
  return {
    lines,
    processes: () => descendantsOf(npm),
    interrupt: async () => {
      process.kill(-npm.pid!, 'SIGINT');
      await ended;
      return lines.at(-1);
    },
  };
}

/** From /proc: children belong to their parent even when they have process groups of their own. */
function descendantsOf({ pid: root }: ChildProcess): { pid: number; command: string }[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const parent = Number(/^\d+ \(.*\) \S (\d+)/s.exec(readFileSync(`/proc/${name}/stat`, 'utf8'))?.[1]);
        return [
          { pid: Number(name), parent, command: readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ') },
        ];
      } catch {
        return []; // it ended meanwhile
      }
    });
  const family = new Set([root]);
  for (let before = 0; before < family.size; ) {
    before = family.size;
    for (const { pid, parent } of all) if (family.has(parent)) family.add(pid);
  }
  return all.filter(({ pid }) => family.has(pid));
}

export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
