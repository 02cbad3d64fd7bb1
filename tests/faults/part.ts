import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { hasEnded, spawnChild } from '../../start/child-process.ts';
import type { FaultProxy } from './fault-proxy.ts';

export interface LogLine {
  at: number;
  text: string;
}

/** How a process ended. `killed` and `stopped`: by the test, with SIGKILL or with SIGTERM. */
export interface Exit {
  part: string;
  why: 'killed' | 'stopped' | 'by itself';
  code: number | null;
  signal: NodeJS.Signals | null;
  /** Since it was told to. */
  ms: number;
  graceMs: number;
}

/** A producer or a consumer: a real process, which reaches each server through a proxy of its own. */
export interface Part {
  name: string;
  kind: 'producer' | 'consumer';
  /** Of a producer. */
  url: string;
  /** Between it and the database; of a group, the first member. */
  database: FaultProxy;
  /** Of a group one for each member. */
  databases: readonly FaultProxy[];
  lines: LogLine[];
  pid: () => number;
  isRunning: () => boolean;
  /** Starts it, again if need be; resolves when it says that it works. */
  start: () => Promise<void>;
  /** SIGKILL; resolves when it is gone. */
  kill: () => Promise<void>;
  /** SIGTERM; resolves when it is gone. */
  stop: () => Promise<void>;
  /** Kills it for good: it is not started again. */
  end: () => Promise<void>;
  freeze: () => void;
  thaw: () => void;
  /** Its memory, in bytes. */
  memory: () => number;
}

export interface PartOptions {
  name: string;
  kind: Part['kind'];
  url: string;
  databases: readonly FaultProxy[];
  env: Record<string, string>;
  nodeArgs: readonly string[];
  /** Of the program itself. */
  args: readonly string[];
  exits: Exit[];
}

const READY: Record<Part['kind'], string> = { producer: 'listening on', consumer: 'filling events as' };
const READY_LIMIT_MS = 30_000;
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export function createPart({ name, kind, url, databases, env, nodeArgs, args, exits }: PartOptions): Part {
  const lines: LogLine[] = [];
  const graceMs = Number(env['SHUTDOWN_GRACE_MS']);
  let child: ChildProcess | undefined;
  let ended = Promise.resolve();
  let isOver = false;
  let told: { why: 'killed' | 'stopped'; at: number } | undefined;

  async function start(): Promise<void> {
    if (isOver) throw new Error('the system has been ended');
    told = undefined;
    const started = spawnChild(process.execPath, [...nodeArgs, `${ROOT}${kind}/main.ts`, ...args], {
      cwd: import.meta.dirname,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child = started;
    ended = new Promise((resolve) => {
      started.once('exit', (code, signal) => {
        const why = told?.why ?? 'by itself';
        exits.push({ part: name, why, code, signal, ms: Math.round(performance.now() - (told?.at ?? 0)), graceMs });
        resolve();
      });
    });
    const ready = Promise.withResolvers<void>();
    const giveUp = setTimeout(() => ready.reject(notReady('was not ready in time')), READY_LIMIT_MS);
    const onExit = () => ready.reject(notReady('ended before it was ready'));
    started.once('exit', onExit);
    for (const output of [started.stdout!, started.stderr!]) {
      createInterface({ input: output }).on('line', (text) => {
        lines.push({ at: performance.now(), text });
        if (text.includes(READY[kind])) ready.resolve();
      });
    }
    await ready.promise.finally(() => {
      clearTimeout(giveUp);
      started.off('exit', onExit);
    });
  }

  function notReady(what: string): Error {
    return new Error(
      `${name} ${what}:\n${lines
        .slice(-5)
        .map(({ text }) => text)
        .join('\n')}`,
    );
  }

  function tell(why: 'killed' | 'stopped', signal: NodeJS.Signals): Promise<void> {
    if (!child || hasEnded(child)) return Promise.resolve();
    told ??= { why, at: performance.now() };
    child.kill(signal);
    return ended;
  }

  return {
    name,
    kind,
    url,
    database: databases[0]!,
    databases,
    lines,
    pid: () => child!.pid!,
    isRunning: () => child !== undefined && !hasEnded(child),
    start,
    kill: () => tell('killed', 'SIGKILL'),
    stop: () => tell('stopped', 'SIGTERM'),
    end: () => {
      isOver = true;
      return tell('killed', 'SIGKILL');
    },
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
    memory: () => residentBytes(child!.pid!),
  };
}

function residentBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1_024;
}
