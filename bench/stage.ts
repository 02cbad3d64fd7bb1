import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Database } from '../database/connect.ts';
import { loadSchema } from '../database/load-schema.ts';
import { freePort } from '../start/free-port.ts';
import type { LocalServer } from '../start/mysql/local-server.ts';
import { startWithSchema } from '../start/mysql/start-with-schema.ts';
import { layOutNginx } from '../start/nginx.ts';
import { nodeArgs } from '../start/node-args.ts';
import { findProgram } from '../start/programs.ts';
import { type BenchDatabase, createDatabase, dropDatabases } from './bench-database.ts';
import { type BenchProcess, type BenchProcessOptions, startBenchProcess } from './bench-process.ts';

export interface StageOptions {
  server: Pick<LocalServer, 'url' | 'pid'>;
  /** Of this stage alone; made when missing. */
  directory: string;
  databaseName: string;
  quick: boolean;
  steadySeconds: number;
  /** Where each Node process leaves a processor profile. */
  profiles: string | undefined;
  say: (line: string) => void;
}

/** A process that answers HTTP. */
export interface BenchServer extends BenchProcess {
  port: number;
  url: string;
}

type Environment = Record<string, string>;

interface NodeOptions {
  args?: readonly string[];
  readyUrl?: string;
}

interface NginxOptions {
  conf?: string;
  /** @default '/livez' */
  readyPath?: string;
}

/** Where a scenario plays: an empty database, and whatever processes it starts, until it is over. */
export interface Stage extends AsyncDisposable {
  /** For what the scenario writes down; removed at the end of the run. */
  directory: string;
  quick: boolean;
  steadySeconds: number;
  /** How often each side of a ratio is measured. */
  rounds: number;
  /** Aborted when the scenario is over, for whatever reason. */
  signal: AbortSignal;
  /** Tells what is being done. */
  say: (line: string) => void;
  /** What a full run takes, or what a quick one does. */
  pick: (full: number, quick: number) => number;
  /** Of MySQL. */
  serverPid: number;
  /** A server of the scenario's own, with the schema. */
  startOwnServer: (args: string[]) => Promise<LocalServer>;
  /** With the schema. Without a name it is the one that the processes below use; with one, a further one. */
  database: (name?: string, load?: (db: Database) => Promise<unknown>) => Promise<BenchDatabase>;
  startProducer: (env?: Environment) => Promise<BenchServer>;
  /** Of words, or of the kind of nothing-handlers.ts. @default 'word' */
  startConsumer: (env?: Environment, kind?: 'word' | 'nothing') => Promise<BenchProcess>;
  /** Version 1's consumer of words, on a database of that version. */
  startOldConsumer: (database: BenchDatabase) => Promise<BenchProcess>;
  startWordService: () => Promise<BenchServer>;
  /** `main` of this repository, on a free PORT. It is ready when `readyPath` is answered. */
  startServer: (main: string, readyPath: string, env?: Environment) => Promise<BenchServer>;
  /** Of the queue, or with another configuration. */
  startNginx: (upstream: readonly BenchServer[], options?: NginxOptions) => Promise<BenchServer>;
  /** One of the servers in baselines/. */
  startBaseline: (name: 'bare-server' | 'one-by-one-producer') => Promise<BenchServer>;
}

// A producer leaves idle connections to nginx for seconds when it ends, for what may be on its way: nothing is here.
const BRIEF_END = { SHUTDOWN_GRACE_MS: '500' };
const NOTHING_HANDLERS = fileURLToPath(new URL('nothing-handlers.ts', import.meta.url));

export function createStage(options: StageOptions): Stage {
  const { server, directory, databaseName, quick, profiles } = options;
  const processes: BenchProcess[] = [];
  const servers: Promise<LocalServer>[] = [];
  let parts = 0;
  const profiling: Environment = profiles ? { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profiles}` } : {};
  const compileCache = join(directory, '../compile-cache'); // as with npm start, common to all scenarios
  const over = new AbortController();
  const databases = new Map<string, Promise<BenchDatabase>>();
  let wordServiceUrl = '';
  mkdirSync(directory, { recursive: true });

  const database: Stage['database'] = (suffix = '', load = loadSchema) => {
    const name = databaseName + suffix;
    const known = databases.get(name) ?? createDatabase(server, name, load);
    databases.set(name, known);
    return known;
  };

  async function start(part: Pick<BenchProcessOptions, 'name' | 'command' | 'args' | 'env' | 'readyUrl'>) {
    const started = await startBenchProcess({ ...part, name: `${part.name}-${++parts}`, directory });
    processes.push(started);
    return started;
  }

  async function startNode(main: string, env: Environment, { args = [], readyUrl }: NodeOptions = {}) {
    return start({
      name: main.replaceAll('/', '-').replace('.ts', ''),
      command: process.execPath,
      args: [...nodeArgs(main), ...args],
      env: {
        DATABASE_URL: env['DATABASE_URL'] ?? (await database()).url,
        LOG_FORMAT: 'json',
        NODE_COMPILE_CACHE: compileCache,
        ...BRIEF_END,
        ...profiling,
        ...env,
      },
      ...(readyUrl ? { readyUrl } : {}),
    });
  }

  async function startNodeServer(main: string, readyPath: string, env: Environment, portVariable = 'PORT') {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const started = await startNode(main, { ...env, [portVariable]: String(port) }, { readyUrl: url + readyPath });
    return { ...started, port, url };
  }

  return {
    directory,
    quick,
    steadySeconds: options.steadySeconds,
    rounds: 3,
    signal: over.signal,
    say: options.say,
    pick: (full, short) => (quick ? short : full),
    serverPid: server.pid,
    database,
    async startOwnServer(args) {
      const own = { directory: join(directory, 'server'), port: await freePort(), args, signal: over.signal };
      const starting = startWithSchema(own);
      servers.push(starting);
      return starting;
    },
    startProducer: (env = {}) => startNodeServer('producer/main.ts', '/readyz', env),
    startConsumer: (env = {}, kind = 'word') =>
      kind === 'word'
        ? startNode('consumer/main.ts', { WORD_SERVICE_URL: wordServiceUrl, ...env })
        : startNode('consumer/main.ts', env, { args: ['--handlers', NOTHING_HANDLERS] }),
    startOldConsumer: ({ url }) =>
      startNode('bench/baselines/version-1-consumer.ts', { WORD_SERVICE_URL: wordServiceUrl, DATABASE_URL: url }),
    async startWordService() {
      const service = await startNodeServer('word-service/main.ts', '/livez', {}, 'WORD_SERVICE_PORT');
      wordServiceUrl = `${service.url}/api`;
      return service;
    },
    startServer: (main, readyPath, env = {}) => startNodeServer(main, readyPath, env),
    async startNginx(upstream, { conf, readyPath = '/livez' } = {}) {
      const port = await freePort();
      const url = `http://127.0.0.1:${port}`;
      const ports = upstream.map((producer) => producer.port);
      const args = layOutNginx(join(directory, `nginx-${port}`), port, ports, conf);
      const nginx = { name: 'nginx', command: findProgram('nginx')!, args, env: {}, readyUrl: url + readyPath };
      return { ...(await start(nginx)), port, url };
    },
    startBaseline: (name) => startNodeServer(`bench/baselines/${name}.ts`, '/livez', {}),
    async [Symbol.asyncDispose]() {
      over.abort();
      await Promise.all(processes.map((running) => running.stop()));
      await Promise.allSettled(servers.map(async (server) => (await server).stop()));
      const created = [...databases.keys()];
      for (const { db } of await Promise.all(databases.values())) await db.destroy();
      await dropDatabases(server, created);
    },
  };
}
