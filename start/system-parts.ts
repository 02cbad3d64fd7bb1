import { resolve } from 'node:path';
import type { StartConfig } from './config.ts';
import { lineWriter } from './line-writer.ts';
import { type Account, localServerUrl, startLocalServer } from './mysql/local-server.ts';
import { startWithSchema } from './mysql/start-with-schema.ts';
import { layOutNginx } from './nginx.ts';
import { nodeArgs } from './node-args.ts';
import { type Part, processPart, whyNoAnswer, whyNoConnection } from './part.ts';
import { type Environment, partEnvironment } from './part-environment.ts';
import { findProgram } from './programs.ts';

/**
 * What `npm start` starts for these kinds, stage by stage, and stops in reverse. The front stops first, while consumers still
 * fill. nginx ends when the producers have answered its requests, so they are one stage.
 */
export function systemParts(config: StartConfig, kinds: readonly string[]): Part[][] {
  const wordServiceUrl = `http://127.0.0.1:${config.WORD_SERVICE_PORT}`;
  const env: Environment = {
    ...partEnvironment(config.DATA_DIRECTORY, config.environment),
    WORD_SERVICE_URL: config.wordServiceUrl ?? `${wordServiceUrl}/api`,
    WORD_SERVICE_PORT: String(config.WORD_SERVICE_PORT),
    HOST: '127.0.0.1',
  };
  const urlFor = (account: Account) => config.databaseUrl ?? localServerUrl(config.MYSQL_PORT, account);
  const node = (folder: string, name: string, own: Environment, more: Partial<NodePart> = {}) =>
    nodePart(config, { folder, name, env: { ...env, ...own }, ...more });

  const consumers = Array.from({ length: config.CONSUMERS }, (_, index) => {
    const name = `consumer-${index + 1}`;
    return node(
      'consumer',
      name,
      { DATABASE_URL: urlFor('consumer'), CONSUMER_NAME: name },
      { args: workArgs(config) },
    );
  });
  const producers = config.PRODUCER_PORTS.map((port, index) => {
    const own = { DATABASE_URL: urlFor('producer'), PORT: String(port) };
    return node('producer', `producer-${index + 1}`, own, {
      whyNotReady: () => whyNoAnswer(`http://127.0.0.1:${port}/readyz`),
    });
  });
  return [
    config.databaseUrl ? [] : [mysqlPart(config)],
    config.wordServiceUrl || !kinds.includes('word')
      ? []
      : [node('word-service', 'word-service', {}, { whyNotReady: () => whyNoAnswer(`${wordServiceUrl}/livez`) })],
    consumers,
    [...producers, nginxPart(config, env)],
  ];
}

/** The private server, once it has the schema. */
function mysqlPart({ DATA_DIRECTORY, MYSQL_PORT: port, MYSQL_PROGRAM }: StartConfig): Part {
  const directory = resolve(DATA_DIRECTORY, 'mysql');
  const program = MYSQL_PROGRAM || undefined;
  const say = lineWriter('mysql');
  let isLoaded = false;
  const start = async (signal: AbortSignal) => {
    const server = await (isLoaded ? startLocalServer : startWithSchema)({ directory, port, program, say, signal });
    isLoaded = true;
    return server;
  };
  return { name: 'mysql', start };
}

interface NodePart {
  folder: string;
  name: string;
  env: Environment;
  args?: readonly string[];
  whyNotReady?: () => Promise<string | undefined>;
}

function nodePart(config: StartConfig, { folder, args = [], ...part }: NodePart): Part {
  return processPart({
    ...part,
    command: process.execPath,
    args: () => [...nodeArgs(`${folder}/main.ts`), ...args],
    say: lineWriter(part.name),
    stopLimitMs: stopLimitMs(config),
  });
}

/** What consumers work on, as it was given to us. */
function workArgs({ handlers, webhooks }: StartConfig): string[] {
  return [
    ...(handlers === undefined ? [] : ['--handlers', handlers]),
    ...webhooks.flatMap((hook) => ['--webhook', hook]),
  ];
}

function nginxPart(config: StartConfig, env: Environment): Part {
  const { NGINX_PORT: port, PRODUCER_PORTS, DATA_DIRECTORY } = config;
  return processPart({
    name: 'nginx',
    command: findProgram('nginx')!,
    args: () => layOutNginx(resolve(DATA_DIRECTORY, 'nginx'), port, PRODUCER_PORTS),
    env,
    // Asked for a page, it would log each producer that has not started yet.
    whyNotReady: () => whyNoConnection(port),
    say: lineWriter('nginx'),
    stopSignal: 'SIGQUIT', // finish the requests in progress, then end
    stopLimitMs: stopLimitMs(config),
  });
}

/** Longer than the processes take of their own accord. */
function stopLimitMs({ SHUTDOWN_GRACE_MS }: StartConfig): number {
  return SHUTDOWN_GRACE_MS + 5_000;
}
