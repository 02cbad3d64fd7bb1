import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { spawnChild, stopProcess } from '../start/child-process.ts';
import { freePort } from '../start/free-port.ts';
import { layOutNginx } from '../start/nginx.ts';
import { findProgram } from '../start/programs.ts';

export interface FrontDoor extends AsyncDisposable {
  /** nginx. */
  port: number;
  producerPorts: number[];
  /** SIGTERM, and the same producer again once it has ended. Resolves to its exit code and how long its end took. */
  restart: (producer: number) => Promise<{ code: number | null; endMs: number }>;
  /** What nginx has said of producers that failed a request; that one refused a connection is no failure. */
  failures: () => string[];
}

const NGINX = findProgram('nginx')!;

/** Real producers on this database behind a real nginx, with the repository's nginx.conf; until the end of the scope. */
export async function startFrontDoor(
  databaseUrl: string,
  { producers = 2, env = {} }: { producers?: number; env?: Record<string, string> } = {},
): Promise<FrontDoor> {
  const directory = mkdtempSync(join(tmpdir(), 'event-queue-front-'));
  const [port, ...producerPorts] = await Promise.all(Array.from({ length: producers + 1 }, freePort));
  const start = (producerPort: number) => startProducer(databaseUrl, producerPort, env);
  const children = await Promise.all(producerPorts.map(start));
  const nginx = spawnChild(NGINX, layOutNginx(directory, port!, producerPorts), {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const failures: string[] = [];
  createInterface({ input: nginx.stderr! }).on('line', (line) => {
    if (/upstream/.test(line) && !line.includes('Connection refused')) failures.push(line);
  });
  await untilItAnswers(port!);
  return {
    port: port!,
    producerPorts,
    failures: () => failures,
    async restart(producer) {
      const child = children[producer]!;
      const startedAt = performance.now();
      const exit = once(child, 'exit') as Promise<[number | null]>;
      child.kill('SIGTERM');
      const [code] = await exit;
      const endMs = performance.now() - startedAt;
      children[producer] = await start(producerPorts[producer]!);
      return { code, endMs };
    },
    async [Symbol.asyncDispose]() {
      await stopProcess(nginx, 5_000);
      await Promise.all(children.map((child) => stopProcess(child, 15_000)));
      rmSync(directory, { recursive: true });
    },
  };
}

/** Resolves when it listens. */
async function startProducer(databaseUrl: string, port: number, more: Record<string, string>): Promise<ChildProcess> {
  const env = { ...process.env, DATABASE_URL: databaseUrl, PORT: String(port), LOG_FORMAT: 'json', ...more };
  const child = spawnChild(process.execPath, ['producer/main.ts'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout! });
  for await (const line of lines) if (line.includes('listening on')) break;
  child.stdout!.resume();
  return child;
}

async function untilItAnswers(port: number): Promise<void> {
  const giveUpAt = performance.now() + 10_000;
  for (;;) {
    const response = await fetch(`http://127.0.0.1:${port}/livez`).catch(() => undefined);
    await response?.body?.cancel();
    if (response?.ok) return;
    if (performance.now() > giveUpAt) throw new Error('nginx does not answer');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
