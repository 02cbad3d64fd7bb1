import { once } from 'node:events';
import { resolve } from 'node:path';
import { spawnChild } from '../start/child-process.ts';
import { freePort } from '../start/free-port.ts';
import { lineWriter } from '../start/line-writer.ts';
import { type Account, localServerUrl } from '../start/mysql/local-server.ts';
import { layOutNginx } from '../start/nginx.ts';
import { nodeArgs } from '../start/node-args.ts';
import { type Part, processPart, whyNoAnswer, whyNoConnection } from '../start/part.ts';
import type { Environment } from '../start/part-environment.ts';
import { findProgram } from '../start/programs.ts';

interface NodeOptions {
  env?: Environment;
  args?: readonly string[];
  /** Answers 2xx when the process can be used. */
  readyUrl?: string;
}

/** What the parts of an example are made with. */
export interface Stage {
  databaseUrl: (account: Account) => string;
  /** The same free port for the same name. */
  port: (name: string) => number;
  /** `main` of this repository in a process of its own, with DATABASE_URL of this account. */
  node: (name: string, main: string, account: Account, options?: NodeOptions) => Part;
  /** Runs `main` of this repository until it ends by itself; rejects unless its exit code is 0. */
  run: (main: string, account: Account) => Promise<void>;
  /** A consumer of this module of handlers. */
  consumer: (name: string, handlers: string, env?: Environment) => Part;
  /** nginx on the port `front`, with this configuration, before these ports. */
  nginx: (conf: string, ports: readonly number[]) => Part;
}

export interface StageOptions {
  /** Holds all that the example writes down. */
  directory: string;
  ports: ReadonlyMap<string, number>;
  env: Environment;
}

/** Of an example's own MySQL: little memory, and no binary log, which nobody reads and each commit would sync as well. */
export const SERVER_ARGS = ['--skip-log-bin', '--innodb-buffer-pool-size=32M', '--innodb-log-buffer-size=2M'];

/** Past the ten seconds that our processes take at most to finish what they do. */
const STOP_LIMIT_MS = 15_000;

export function createStage({ directory, ports, env }: StageOptions): Stage {
  const port = (name: string) => ports.get(name)!;
  const databaseUrl = (account: Account) => localServerUrl(port('mysql'), account);
  const node: Stage['node'] = (name, main, account, { env: own = {}, args = [], readyUrl } = {}) =>
    processPart({
      name,
      command: process.execPath,
      args: () => [...nodeArgs(main), ...args],
      env: { ...env, DATABASE_URL: databaseUrl(account), ...own },
      ...(readyUrl === undefined ? {} : { whyNotReady: () => whyNoAnswer(readyUrl) }),
      say: lineWriter(name),
      stopLimitMs: STOP_LIMIT_MS,
    });
  return {
    databaseUrl,
    port,
    node,
    run: async (main, account) => {
      const own = { ...env, DATABASE_URL: databaseUrl(account) };
      const child = spawnChild(process.execPath, nodeArgs(main), { env: own, stdio: 'inherit' });
      const [code] = (await once(child, 'exit')) as [number | null];
      if (code !== 0) throw new Error(`${main} ended with ${code === null ? 'a signal' : `exit code ${code}`}`);
    },
    consumer: (name, handlers, own = {}) =>
      node(name, 'consumer/main.ts', 'consumer', {
        env: { CONSUMER_NAME: name, ...own },
        args: ['--handlers', handlers],
      }),
    nginx: (conf, upstreams) =>
      processPart({
        name: 'nginx',
        command: findProgram('nginx')!,
        args: () => layOutNginx(resolve(directory, 'nginx'), port('front'), upstreams, conf),
        env,
        whyNotReady: () => whyNoConnection(port('front')),
        say: lineWriter('nginx'),
        stopSignal: 'SIGQUIT',
        stopLimitMs: STOP_LIMIT_MS,
      }),
  };
}

/** A free port of this machine for each name. */
export async function findPorts(names: readonly string[]): Promise<Map<string, number>> {
  const ports = new Map<string, number>();
  for (const name of names) ports.set(name, await freePort());
  return ports;
}
