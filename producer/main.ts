import { checkDatabase } from '../database/check-database.ts';
import { connectDatabase, type Database } from '../database/connect.ts';
import { listDead, reviveAllDead, reviveEvents, showEvent } from '../database/events/operate.ts';
import { countEvents, findEvent } from '../database/events/read.ts';
import { flushLog } from '../process/json-log.ts';
import { exitAfter, runMain } from '../process/run-main.ts';
import { asksForHelp } from '../process/settings-help.ts';
import { stopSignal } from '../process/stop-signal.ts';
import { createApp } from './app.ts';
import { createCompletionPoller } from './completion-poller.ts';
import { helpText, readProducerConfig } from './config.ts';
import { createBatcher } from './create-batcher.ts';
import { runForgetKeys } from './forget-keys.ts';
import { createLogger, logsAllRequests } from './http/request-log.ts';
import { closeServer, listen, portOf } from './http/server.ts';
import type { OperatorDeps } from './routes/operator.ts';

// What a producer calls.
const ROUTINES = ['create_events', 'create_events_once', 'forget_keys', 'raise_counter', 'revive_events'];
// Held requests are let go this long before the grace ends, so that their answers still get out.
const ANSWER_MS = 1_000;

async function main(args: string[]): Promise<void> {
  if (asksForHelp(args)) {
    process.stdout.write(helpText());
    return;
  }
  const config = readProducerConfig();
  const log = createLogger(config);
  const shutdown = new AbortController();
  const stopped = stopSignal();

  const db = connectDatabase({
    url: config.DATABASE_URL,
    poolSize: config.DATABASE_POOL_SIZE,
    statementTimeoutMs: config.DATABASE_TIMEOUT_MS,
    onAvailability: (available, error) =>
      available ? log.info('database is back') : log.warn({ reason: error?.message }, 'database lost, trying again'),
  });
  const poller = createCompletionPoller({
    db,
    pollMs: config.SYNC_POLL_MS,
    onError: (error) => log.debug({ err: error }, 'could not look for filled events'),
  });
  const pollerStop = new AbortController();
  const polling = poller.run(pollerStop.signal);

  const app = createApp({
    createEvents: createBatcher({
      db,
      maxRequests: config.CREATE_BATCH,
      maxWaitMs: config.CREATE_WAIT_MS,
    }),
    waitFor: poller.waitFor,
    heldRequestLimit: config.WAITING_LIMIT,
    countEvents: () => countEvents(db),
    findEvent: (id) => findEvent(db, id),
    isDraining: () => shutdown.signal.aborted,
    log,
    logsAll: logsAllRequests(config),
    apiTokens: config.API_TOKENS,
    corsOrigins: config.CORS_ORIGINS,
    operator: createOperatorDeps(db, config.OPERATOR_TOKENS),
  });
  const server = await listen(app, config.PORT, config.HOST, {
    // Beside those with a held request there must be some that ask.
    connections: config.WAITING_LIMIT + 5_000,
  });
  log.info(`listening on http://${config.HOST}:${portOf(server)}`);
  const checked = checkDatabase(db, { routines: ROUTINES }, shutdown.signal).then((server) => {
    if (server) log.info(server.summary);
    for (const warning of server?.warnings ?? []) log.warn(warning);
    const onError = (error: unknown) => log.debug({ err: error }, 'could not forget old idempotency keys');
    void runForgetKeys({ db, rememberMs: config.IDEMPOTENCY_TTL_MS, onError }, shutdown.signal);
  });

  const why = await Promise.race([stopped, checked.then(() => stopped)]);
  log.info(`${why}: answering what is under way`);
  shutdown.abort();
  exitAfter(config.SHUTDOWN_GRACE_MS);
  const answerMs = Math.max(0, config.SHUTDOWN_GRACE_MS - ANSWER_MS);
  setTimeout(() => pollerStop.abort(), answerMs).unref();
  await closeServer(server, answerMs + ANSWER_MS / 2);
  pollerStop.abort();
  await polling;
  await db.destroy();
  log.info('stopped');
  await flushLog(log);
  process.exit(0);
}

function createOperatorDeps(db: Database, tokens: readonly string[]): OperatorDeps | undefined {
  if (tokens.length === 0) return undefined;
  return {
    tokens,
    listDead: (page) => listDead(db, page),
    showEvent: (id) => showEvent(db, id),
    reviveEvents: (ids) => reviveEvents(db, ids),
    reviveAllDead: () => reviveAllDead(db),
  };
}

runMain('producer', main);
