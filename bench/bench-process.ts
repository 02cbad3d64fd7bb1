import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasEnded, spawnChild, stopProcess } from '../start/child-process.ts';
import { whyNoAnswer } from '../start/part.ts';

export interface BenchProcess {
  pid: number;
  /** Everything that it has written so far. */
  log: () => string;
  /** SIGSTOP: it does nothing, but is warm and connected when it goes on. */
  freeze: () => void;
  thaw: () => void;
  stop: () => Promise<void>;
}

export interface BenchProcessOptions {
  name: string;
  command: string;
  args: string[];
  env: Record<string, string>;
  /** Where `name.log` is written. Not a pipe: reading it would cost us the processor time that we measure. */
  directory: string;
  /** Answers 2xx when the process can be used; without it, it is not waited for. */
  readyUrl?: string;
}

const READY_LIMIT_MS = 30_000;
const STOP_LIMIT_MS = 15_000;

/** Starts a process of ours, apart from the user's own settings, and resolves when it is ready. */
export async function startBenchProcess(options: BenchProcessOptions): Promise<BenchProcess> {
  const { name, command, args, env, directory, readyUrl } = options;
  const logFile = `${directory}/${name}.log`;
  const output = openSync(logFile, 'w');
  const child = spawnChild(command, args, {
    env: { PATH: process.env['PATH'], ...env },
    cwd: directory, // and not where a file .env may lie
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  child.on('error', () => {});
  const stopped = () => stopProcess(child, STOP_LIMIT_MS);
  const log = () => readFileSync(logFile, 'utf8');
  const giveUpAt = Date.now() + READY_LIMIT_MS;
  while (readyUrl && (await whyNoAnswer(readyUrl)) !== undefined) {
    if (!hasEnded(child) && Date.now() < giveUpAt) await sleep(20);
    else {
      await stopped();
      throw new Error(`${name} did not get ready:\n${log().slice(-2_000)}`);
    }
  }
  return {
    pid: child.pid!,
    log,
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    async stop() {
      child.kill('SIGCONT'); // a frozen process does not hear that it is to end
      await stopped();
    },
  };
}
