import { randomBytes } from 'node:crypto';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { sql } from 'kysely';
import { connectDatabase, type Database } from '../../database/connect.ts';
import { hostUrls } from '../../database/database-url.ts';
import { loadSchema } from '../../database/load-schema.ts';
import { spawnChild, stopProcess } from '../../start/child-process.ts';
import { freePort } from '../../start/free-port.ts';
import { startLocalServer } from '../../start/mysql/local-server.ts';
import { layOutNginx } from '../../start/nginx.ts';
import { findProgram } from '../../start/programs.ts';
import { isRunning } from '../npm-process.ts';
import { installAudit } from './audit.ts';
import { installEffects } from './effects.ts';
import { type FaultGroup, type GroupOptions, startFaultGroup } from './fault-group.ts';
import { startFaultProxy } from './fault-proxy.ts';
import { createLedger, type Ledger } from './ledger.ts';
import { createPart, type Exit, type Part } from './part.ts';
import { startUniqueWords, type UniqueWords } from './unique-words.ts';
import { startWebhookReceiver, type WebhookReceiver } from './webhook-receiver.ts';

export interface SystemOptions {
  /** A server that others use as well; each system has a database of its own on it. Without one it starts its own. */
  serverUrl?: string | undefined;
  /** The folder of a server that has never run, for its own to begin with. */
  freshServer?: string | undefined;
  /** Runs on a group of three members, which all processes and `db` know. */
  group?: GroupOptions | undefined;
  /** Further options of its own server. */
  serverArgs?: string[];
  producers?: number;
  consumers?: number;
  /** Puts nginx before the producers. */
  nginx?: boolean;
  /** The consumers serve words and the kinds of handlers.ts. @default words alone */
  handlers?: boolean;
  /** Of all processes. */
  env?: Record<string, string>;
  /** Options of Node for a process: a planted bug, another clock. */
  nodeArgs?: (part: string) => readonly string[];
  /** Changes the database, as the account that set it up, before any process starts. */
  prepare?: (db: Database, serverUrl: string) => Promise<void>;
  random?: () => number;
}

/** Real processes on a real server, with a proxy before the server for each of them and words that are unique. */
export interface FaultSystem extends AsyncDisposable {
  /** Straight to the server, for the test's own questions. */
  db: Database;
  /** Without a database. */
  serverUrl: string;
  /** Its own server; absent when it uses that of others, or a group. */
  server:
    | { pid: () => number; kill: () => Promise<void>; start: () => Promise<void>; stop: () => Promise<void> }
    | undefined;
  group: FaultGroup | undefined;
  parts: readonly Part[];
  producers: readonly Part[];
  consumers: readonly Part[];
  /** What clients talk to: nginx, or each producer in turn. */
  fronts: readonly string[];
  words: UniqueWords;
  receiver: WebhookReceiver;
  /** Where handlers write down their runs. */
  directory: string;
  ledger: Ledger;
  exits: Exit[];
  /** Connections that the server has for our processes. */
  connectionsOfParts: () => Promise<number>;
  /** Takes every fault back: proxies, words, frozen and ended processes. */
  heal: () => Promise<void>;
  /** Resolves when every event is filled or dead, to true; or to false after `limitMs`. */
  drain: (limitMs: number) => Promise<boolean>;
}

/** So long a process that is frozen keeps what it has locked in a transaction. */
export const TRANSACTION_MS = 1_000;

/** Small times, so that a fault and its recovery fit into seconds. What a row tests it sets itself. */
const QUICK = {
  LEASE_MS: '3000',
  CONSUMER_POLL_MS: '50',
  SYNC_POLL_MS: '50',
  RETRY_DELAY_MS: '20', // and at most 1.2 s
  MAX_ATTEMPTS: '1000',
  SHUTDOWN_GRACE_MS: '10000',
  DATABASE_TIMEOUT_MS: '2000',
  TRANSACTION_MS: String(TRANSACTION_MS),
  LOG_FORMAT: 'json',
};

const HANDLERS = fileURLToPath(new URL('handlers.ts', import.meta.url));

export async function startSystem(options: SystemOptions = {}): Promise<FaultSystem> {
  const { producers = 2, consumers = 2, random = Math.random } = options;
  await using undo = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'event-queue-faults-'));
  undo.defer(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }));
  const databaseName = `faults_${randomBytes(6).toString('hex')}`;
  const group =
    options.group &&
    undo.use(await startFaultGroup({ ...options.group, freshServer: options.freshServer, directory, databaseName }));
  const isShared = !group && options.serverUrl !== undefined;
  const server = group || isShared ? undefined : await startOwnServer(directory, options);
  if (server) undo.defer(() => server.end());
  const serverUrl = group?.serverUrl ?? server?.url ?? options.serverUrl!;
  const db = await createDatabase(serverUrl, databaseName);
  undo.defer(async () => {
    if (isShared)
      await sql
        .raw(`DROP DATABASE IF EXISTS ${databaseName}`)
        .execute(db)
        .catch(() => {});
    await db.destroy();
  });
  await options.prepare?.(db, serverUrl);
  const words = undo.use(await startUniqueWords());
  const receiver = undo.use(await startWebhookReceiver());
  const exits: Exit[] = [];

  const startPart = async (kind: Part['kind'], n: number): Promise<Part> => {
    const name = `${kind}-${n}`;
    const ports = hostUrls(serverUrl).map((url) => Number(new URL(url).port));
    const databases = await Promise.all(ports.map((port) => startFaultProxy(port, random)));
    for (const proxy of databases) undo.use(proxy);
    const hosts = databases.map((proxy) => `127.0.0.1:${proxy.port}`).join();
    const port = await freePort();
    const env = {
      ...QUICK,
      PATH: process.env['PATH'] ?? '',
      DATABASE_URL: `${serverUrl.replace(/@[^/]+/, `@${hosts}`)}${databaseName}`,
      WORD_SERVICE_URL: words.urlFor(name),
      CONSUMER_NAME: name,
      WEBHOOK_URL: receiver.url,
      RUNS_DIRECTORY: directory,
      PORT: String(port),
      ...options.env,
    };
    const nodeArgs = options.nodeArgs?.(name) ?? [];
    const args = options.handlers && kind === 'consumer' ? ['--handlers', HANDLERS] : [];
    const part = createPart({ name, kind, url: `http://127.0.0.1:${port}`, databases, env, nodeArgs, args, exits });
    undo.defer(() => part.end());
    await part.start();
    return part;
  };
  const started = await Promise.all([
    ...Array.from({ length: producers }, (_, n) => startPart('producer', n + 1)),
    ...Array.from({ length: consumers }, (_, n) => startPart('consumer', n + 1)),
  ]);
  const byKind = (kind: Part['kind']) => started.filter((part) => part.kind === kind);
  const front = options.nginx ? await startNginx(directory, byKind('producer'), undo) : undefined;
  const kept = undo.move();

  return {
    db,
    serverUrl,
    server,
    group,
    parts: started,
    producers: byKind('producer'),
    consumers: byKind('consumer'),
    fronts: front ? [front] : byKind('producer').map(({ url }) => url),
    words,
    receiver,
    directory,
    ledger: createLedger(),
    exits,
    async connectionsOfParts() {
      const { rows } = await sql<{ open: number }>`
        SELECT COUNT(*) AS open FROM information_schema.PROCESSLIST WHERE DB = DATABASE()`.execute(db);
      // All of this test's own connections are in use for one question at a time, and the pool keeps them.
      // The one that follows the writer of a group has another that asks it.
      return rows[0]!.open - OWN_CONNECTIONS - (group ? 1 : 0);
    },
    async heal() {
      words.fail(undefined);
      await words.refuse(false);
      receiver.answerWith(undefined);
      await receiver.refuse(false);
      for (const part of started) {
        for (const proxy of part.databases) await proxy.heal();
        part.thaw();
        if (!part.isRunning()) await part.start();
      }
    },
    async drain(limitMs) {
      const giveUpAt = Date.now() + limitMs;
      for (;;) {
        const { rows } = await sql<{ open: number }>`SELECT COUNT(*) AS open FROM Events WHERE open = 1`.execute(db);
        if (rows[0]!.open === 0) return true;
        if (Date.now() > giveUpAt) return false;
        await sleep(50);
      }
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

const OWN_CONNECTIONS = 1;

async function startOwnServer(directory: string, { freshServer, serverArgs = [] }: SystemOptions) {
  if (freshServer) await cp(freshServer, directory, { recursive: true });
  const options = { directory, port: await freePort(), args: serverArgs };
  let starting = startLocalServer(options);
  let running = await starting;
  let isOver = false;
  /** Also when it is frozen. */
  async function stop(): Promise<void> {
    const thaw = setInterval(() => isRunning(running.pid) && process.kill(running.pid, 'SIGCONT'), 100);
    await running.stop();
    clearInterval(thaw);
  }
  return {
    url: running.url(''),
    pid: () => running.pid,
    async kill() {
      process.kill(running.pid, 'SIGKILL');
      await running.ended;
    },
    async start() {
      if (isOver) throw new Error('the system has been ended');
      starting = startLocalServer(options);
      running = await starting;
    },
    stop,
    /** For good, whatever the row still wants. */
    async end() {
      isOver = true;
      await starting.catch(() => {});
      await stop();
    },
  };
}

async function createDatabase(serverUrl: string, name: string): Promise<Database> {
  const server = connectDatabase({ url: `${serverUrl}mysql`, poolSize: 1 });
  await sql.raw(`CREATE DATABASE ${name} CHARACTER SET utf8mb4`).execute(server);
  await server.destroy();
  // As patient as a restart of the server takes; a server that a row freezes is waited for as well.
  const db = connectDatabase({
    url: `${serverUrl}${name}`,
    poolSize: OWN_CONNECTIONS,
    queueWaitMs: 20_000,
    retryMs: 20_000,
    statementTimeoutMs: 120_000,
  });
  await loadSchema(db);
  await installAudit(db);
  await installEffects(db);
  return db;
}

async function startNginx(directory: string, producers: Part[], undo: AsyncDisposableStack): Promise<string> {
  const port = await freePort();
  const ports = producers.map(({ url }) => Number(new URL(url).port));
  const nginx = spawnChild(findProgram('nginx')!, layOutNginx(join(directory, 'nginx'), port, ports), {
    stdio: 'ignore',
  });
  undo.defer(() => stopProcess(nginx, 5_000));
  const front = `http://127.0.0.1:${port}`;
  for (const giveUpAt = Date.now() + 10_000; Date.now() < giveUpAt; await sleep(20)) {
    if (
      await fetch(`${front}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      )
    )
      return front;
  }
  throw new Error('nginx was not ready in time');
}
