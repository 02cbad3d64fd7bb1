import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFailed, onTestFinished } from 'vitest';
import { connectDatabase, type Database } from '../database/connect.ts';
import { copyFreshServer } from './fresh-server.ts';
import { isRunning, type NpmProcess, startNpm } from './npm-process.ts';

export interface ExampleSystem extends NpmProcess {
  /** Its front door; empty for an example without nginx. */
  front: string;
  databaseUrl: string;
  /** As `user`, who may do everything. */
  db: Database;
  /** SIGKILL for every process of it whose command matches; the example starts each again. Resolves to how many. */
  kill: (command: RegExp) => number;
}

/** `npm run example -- NAME` on data of its own, until it is ready. It is stopped when the test is over. */
export async function startExample(name: string, env: Record<string, string> = {}): Promise<ExampleSystem> {
  const directory = await mkdtemp(join(tmpdir(), 'event-queue-example-'));
  await copyFreshServer(join(directory, 'examples', name, 'mysql'));
  const npm = await startNpm(['run', 'example', '--', name], {
    env: { ...env, DATA_DIRECTORY: directory },
    ready: 'Ctrl-C stops everything',
  });
  const text = npm.lines.join('\n');
  const [databaseUrl] = /mysql:\/\/user\S+/.exec(text)!;
  const [, front = ''] = /front door: (\S+)/.exec(text) ?? [];
  const db = connectDatabase({ url: databaseUrl, retryMs: 30_000 });
  onTestFailed(() => console.log(npm.lines.slice(-100).join('\n')));
  onTestFinished(async () => {
    await db.destroy();
    if (npm.processes().some(({ pid }) => isRunning(pid))) await npm.interrupt();
    await rm(directory, { recursive: true, force: true });
  });
  return {
    ...npm,
    front,
    databaseUrl,
    db,
    kill: (command) => {
      const killed = npm.processes().filter((one) => command.test(one.command));
      for (const { pid } of killed) process.kill(pid, 'SIGKILL');
      return killed.length;
    },
  };
}
