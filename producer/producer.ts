import type { Hono } from 'hono';
import { checkDatabase, createReadyCheck } from '../database/check-database.ts';
import type { Database } from '../database/connect.ts';
import { PAYLOAD_LIMIT } from '../database/events/limits.ts';
import { searchLog } from '../database/events/log.ts';
import { listDead, reviveAllDead, reviveEvents, showEvent } from '../database/events/operate.ts';
import { countEvents, findEvent } from '../database/events/read.ts';
import { createJsonLog } from '../process/json-log.ts';
import { type AppDeps, createApp } from './app.ts';
import { createCompletionPoller } from './completion-poller.ts';
import { createBatcher } from './create-batcher.ts';
import { createEventCreator, type EventCreator } from './event-creator.ts';
import { runForgetKeys } from './forget-keys.ts';
import type { RequestVariables } from './http/request-log.ts';
import { runReportUnservedKinds } from './unserved-kinds.ts';

/** By default there is no log, no token and no page that may call. What the app asks of `db` can be replaced, part by part. */
export interface ProducerOptions extends Partial<Omit<AppDeps, 'waitFor' | 'isDraining'>> {
  db: Database;
  /** Most create requests that share one transaction. @default 1_000 */
  createBatch?: number;
  /** Most events waiting to be inserted; a create beyond is refused. @default 50_000 */
  createQueueLimit?: number;
  /** Longest wait of a create for its transaction to begin; then it is refused. @default 500 */
  createWaitMs?: number;
  /** Most bytes of one payload's JSON. @default 65_536 */
  payloadLimit?: number;
  /** Most requests held at once; a further one is refused. @default 20_000 */
  heldRequestLimit?: number;
  /** How often the table is looked at, for all held requests together. @default 100 */
  syncPollMs?: number;
  /** How long an Idempotency-Key is remembered. @default 86_400_000, a day */
  idempotencyTtlMs?: number;
}

export interface Producer extends EventCreator {
  app: Hono<RequestVariables>;
  /** How many requests wait for their event now. */
  waiting: () => number;
  /** From now on the producer is not ready, and its answers close their connections. It still serves. */
  drain: () => void;
  /**
   * Looks for filled events, forgets old keys and reports kinds that nobody serves, until `signal` is aborted; then held
   * requests are answered 202. Rejects with a sentence if the database is not what a producer needs.
   */
  run: (signal: AbortSignal) => Promise<void>;
}

/** A producer on this database: an HTTP app to serve, the same for code in this process, and the work beside it. */
export function createProducer(options: ProducerOptions): Producer {
  const { db, log = createJsonLog('silent', {}), syncPollMs = 100 } = options;
  const poller = createCompletionPoller({
    db,
    pollMs: syncPollMs,
    onError: (error) => log.debug({ err: error }, 'could not look for filled events'),
  });
  const draining = new AbortController();
  const deps = {
    logsAll: false,
    apiTokens: [],
    corsOrigins: [],
    operatorTokens: [],
    heldRequestLimit: 20_000,
    payloadLimit: PAYLOAD_LIMIT,
    ...databaseDeps(options),
    ...options,
    log,
    waitFor: poller.waitFor,
    isDraining: () => draining.signal.aborted,
  } satisfies AppDeps;
  return {
    app: createApp(deps),
    ...createEventCreator(deps),
    waiting: poller.size,
    drain: () => draining.abort(),
    run: async (signal) => {
      const polling = poller.run(signal);
      const rounds = runRounds({ ...options, log }, AbortSignal.any([signal, draining.signal]));
      // A statement that hangs is not waited for at the end.
      await Promise.race([polling, rounds.then(() => polling)]);
    },
  };
}

/** All that the routes ask of the database. */
function databaseDeps({ db, createBatch = 1_000, createQueueLimit = 50_000, createWaitMs = 500 }: ProducerOptions) {
  return {
    createEvents: createBatcher({
      db,
      maxRequests: createBatch,
      maxQueued: createQueueLimit,
      maxWaitMs: createWaitMs,
    }),
    countEvents: () => countEvents(db),
    findEvent: (id) => findEvent(db, id),
    checkReady: createReadyCheck(db),
    listDead: (page) => listDead(db, page),
    showEvent: (id) => showEvent(db, id),
    searchLog: (search) => searchLog(db, search),
    reviveEvents: (ids, options) => reviveEvents(db, ids, options),
    reviveAllDead: (options) => reviveAllDead(db, options),
  } satisfies Partial<AppDeps>;
}

/** The slow work beside, once the database is there and fit, which it says. */
async function runRounds(
  { db, log, idempotencyTtlMs = 86_400_000 }: ProducerOptions & Pick<AppDeps, 'log'>,
  signal: AbortSignal,
): Promise<void> {
  const server = await checkDatabase(db, 'producer', signal);
  if (!server) return;
  log.info(server.summary);
  for (const warning of server.warnings) log.warn(warning);
  const onFailed = (what: string) => (error: unknown) => log.debug({ err: error }, `could not ${what}`);
  const onUnserved = (kind: string) =>
    log.warn({ kind }, `no consumer serves the kind ${kind}: its events have been due for more than a minute`);
  await Promise.all([
    runForgetKeys({ db, rememberMs: idempotencyTtlMs, onError: onFailed('forget old idempotency keys') }, signal),
    runReportUnservedKinds({ db, onUnserved, onError: onFailed('look for kinds that nobody serves') }, signal),
  ]);
}
