import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { connectDatabase } from '../database/connect.ts';
import { loadSchema } from '../database/load-schema.ts';
import { runMain } from '../process/run-main.ts';
import { stopSignal } from '../process/stop-signal.ts';
import { checkPorts } from './check-ports.ts';
import { endChildren } from './child-process.ts';
import { helpText, readStartConfig, type StartConfig } from './config.ts';
import { lineWriter } from './line-writer.ts';
import { type Account, localServerUrl, startLocalServer } from './mysql/local-server.ts';
import { layOutNginx } from './nginx.ts';
import { nodeArgs } from './node-args.ts';
import { keepRunning, type ProcessPart, type RunningPart, startProcess } from './part.ts';
import { findProgram, installPrograms } from './programs.ts';

const say = lineWriter('start');
/**
 * What runs, in the order in which it is stopped: the front first, while consumers still fill what callers wait for;
 * MySQL last. What stands in one list stops together: nginx waits for its requests, so producers must answer them.
 */
const running = {
  front: [] as RunningPart[],
  consumers: [] as RunningPart[],
  wordService: [] as RunningPart[],
  mysql: [] as RunningPart[],
};

async function main(args: string[]): Promise<void> {
  if (args.includes('--help')) {
    process.stdout.write(helpText());
    return;
  }
  const config = readStartConfig(args);
  const stopped = listenForSignals();
  process.stdout.on('error', () => {}); // when nobody reads it any more, all is still stopped in order
  const startedAt = Date.now();
  await checkPorts(config.ports);
  await installPrograms(missingPrograms(config), say);
  mkdirSync(resolve(config.DATA_DIRECTORY), { recursive: true });
  try {
    await startAll(config);
    if (!stopping) {
      say(`ready after ${((Date.now() - startedAt) / 1_000).toFixed(1)} s: http://localhost:${config.NGINX_PORT}/docs`);
      say(`try: curl -X POST localhost:${config.NGINX_PORT}/create-sync`);
    }
    await stopped;
    say('stopping');
  } finally {
    stopping = true;
    for (const parts of Object.values(running)) await Promise.all(parts.map((part) => part.stop()));
  }
  say('stopped');
}

let stopping = false;

/** Resolves at the first Ctrl-C or SIGTERM. A second one ends us at once, and the kernel or we end our children. */
async function listenForSignals(): Promise<void> {
  await stopSignal(endChildren);
  stopping = true;
}

function missingPrograms(config: StartConfig): ('mariadbd' | 'nginx')[] {
  const needsServer = !config.databaseUrl && !config.MYSQL_PROGRAM && !findProgram('mysqld', 'mariadbd');
  return [...(needsServer ? ['mariadbd' as const] : []), ...(findProgram('nginx') ? [] : ['nginx' as const])];
}

async function startAll(config: StartConfig): Promise<void> {
  const urlFor = config.databaseUrl ? () => config.databaseUrl : await startMysql(config);
  const wordServiceUrl = config.wordServiceUrl ?? `http://127.0.0.1:${config.WORD_SERVICE_PORT}/api`;
  const env = {
    ...(process.stdout.isTTY ? { LOG_FORMAT: 'pretty', FORCE_COLOR: '1' } : {}),
    // Keeps the JavaScript of our TypeScript: from the second start on a process is up in two thirds of the time, with 20 MB less.
    NODE_COMPILE_CACHE: resolve(config.DATA_DIRECTORY, 'compile-cache'),
    ...config.environment,
    WORD_SERVICE_URL: wordServiceUrl,
    WORD_SERVICE_PORT: String(config.WORD_SERVICE_PORT),
    WORD_SERVICE_HOST: '127.0.0.1',
    HOST: '127.0.0.1',
  };
  if (!config.wordServiceUrl) {
    await start(
      config,
      'wordService',
      nodePart('word-service', env, `http://127.0.0.1:${config.WORD_SERVICE_PORT}/livez`),
    );
  }
  await startProducers(config, { ...env, DATABASE_URL: urlFor('producer') });
  await start(config, 'front', nginxPart(config, env));
  for (let n = 1; n <= config.CONSUMERS; n++) {
    const name = `consumer-${n}`;
    const consumerEnv = { ...env, DATABASE_URL: urlFor('consumer'), CONSUMER_NAME: name };
    await start(config, 'consumers', nodePart('consumer', consumerEnv, undefined, name));
  }
}

/** Resolves to where each account finds the server, once the schema is loaded. */
async function startMysql(config: StartConfig): Promise<(account: Account) => string> {
  const options = {
    directory: resolve(config.DATA_DIRECTORY, 'mysql'),
    port: config.MYSQL_PORT,
    program: config.MYSQL_PROGRAM || undefined,
    say,
  };
  const startServer = async () => ({ name: 'mysql', ...(await startLocalServer(options)) });
  running.mysql.push(await keepRunning(startServer, say));
  const urlFor = (account: Account) => localServerUrl(config.MYSQL_PORT, account);
  const db = connectDatabase({ url: urlFor('user'), poolSize: 1 });
  await loadSchema(db);
  await db.destroy();
  return urlFor;
}

async function startProducers(config: StartConfig, env: ProcessPart['env']): Promise<void> {
  const starting = config.PRODUCER_PORTS.map((port, index) =>
    start(
      config,
      'front',
      nodePart('producer', { ...env, PORT: String(port) }, `http://127.0.0.1:${port}/readyz`, `producer-${index + 1}`),
    ),
  );
  // When one fails, the other must be known before everything is stopped.
  const failed = (await Promise.allSettled(starting)).find((outcome) => outcome.status === 'rejected');
  if (failed) throw failed.reason;
}

function nodePart(folder: string, env: ProcessPart['env'], readyUrl?: string, name = folder): ProcessPart {
  const part = { name, command: process.execPath, args: nodeArgs(`${folder}/main.ts`), env, say: lineWriter(name) };
  return readyUrl ? { ...part, readyUrl } : part;
}

function nginxPart(config: StartConfig, env: ProcessPart['env']): ProcessPart {
  return {
    name: 'nginx',
    command: findProgram('nginx')!,
    args: layOutNginx(resolve(config.DATA_DIRECTORY, 'nginx'), config.NGINX_PORT, config.PRODUCER_PORTS),
    env,
    readyUrl: `http://127.0.0.1:${config.NGINX_PORT}/livez`,
    say: lineWriter('nginx'),
    stopSignal: 'SIGQUIT', // finish what is under way, then end
  };
}

async function start(
  { SHUTDOWN_GRACE_MS }: StartConfig,
  where: keyof typeof running,
  part: ProcessPart,
): Promise<void> {
  if (stopping) return; // Ctrl-C before all was started
  running[where].push(await keepRunning(() => startProcess(part, SHUTDOWN_GRACE_MS + 5_000), say));
}

runMain('start', main);
