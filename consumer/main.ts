import { randomBytes } from 'node:crypto';
import { checkDatabase } from '../database/check-database.ts';
import { connectDatabase } from '../database/connect.ts';
import { createWordHandler } from '../handlers/words.ts';
import { isForPeople } from '../process/json-log.ts';
import { exitAfter, runMain } from '../process/run-main.ts';
import { stopSignal } from '../process/stop-signal.ts';
import { type ConsumerConfig, helpText, readConsumerConfig } from './config.ts';
import { createJsonReport } from './report/json-report.ts';
import type { Report } from './report/report.ts';
import { createTerminalReport } from './report/terminal-report.ts';
import { runWorker } from './worker.ts';

// What is still in hand is given back this long before the grace ends.
const GIVE_BACK_MS = 2_000;

async function main(args: string[]): Promise<void> {
  if (args.includes('--help')) {
    process.stdout.write(helpText());
    return;
  }
  const config = readConsumerConfig(args);
  const report = createReport(config);
  const { stop, giveUp } = listenForSignals(config.SHUTDOWN_GRACE_MS, report);
  const db = connectDatabase({
    url: config.DATABASE_URL,
    poolSize: config.DATABASE_POOL_SIZE,
    statementTimeoutMs: config.DATABASE_TIMEOUT_MS,
    // Past the lease a fill is refused anyway, so it is tried for that long, also when all connections are in use.
    retryMs: config.LEASE_MS,
    queueWaitMs: config.LEASE_MS,
    signal: stop,
    onAvailability: (available, error) => (available ? report.databaseBack() : report.databaseLost(error)),
  });
  const server = await checkDatabase(db, { routines: ['claim_events', 'try_lock'], skipLocked: true }, stop);
  if (server) report.note(server.summary);
  for (const warning of server?.warnings ?? []) report.warn(warning);
  report.note(`filling events as ${config.CONSUMER_NAME}`);
  await runWorker(
    {
      db,
      report,
      handleBatch: createWordHandler({
        url: config.WORD_SERVICE_URL,
        attemptMs: config.WORD_ATTEMPT_MS,
        totalMs: config.WORD_TOTAL_MS,
        retries: config.WORD_RETRIES,
      }),
      retry: {
        maxAttempts: config.MAX_ATTEMPTS,
        firstDelayMs: config.RETRY_DELAY_MS,
        maxDelayMs: config.RETRY_DELAY_MAX_MS,
      },
      // Names may repeat, also after a restart; what is claimed under one process's name must never be another's.
      consumer: `${config.CONSUMER_NAME}.${process.pid}.${randomBytes(3).toString('hex')}`,
      batch: config.CONSUMER_BATCH,
      concurrency: config.CONSUMER_CONCURRENCY,
      pollMs: config.CONSUMER_POLL_MS,
      leaseMs: config.LEASE_MS,
      once: config.CONSUMER_ONCE,
    },
    stop,
    giveUp,
  );
  await db.destroy();
  report.note('stopped');
  await report.flush();
  process.exit(0);
}

function createReport(config: ConsumerConfig): Report {
  if (!isForPeople(config)) return createJsonReport(config.LOG_LEVEL, config.CONSUMER_NAME);
  process.stdout.on('error', () => {}); // when nobody reads it any more, the work goes on
  return createTerminalReport({
    quiet: config.CONSUMER_QUIET,
    verbose: config.CONSUMER_VERBOSE,
    write: (line) => process.stdout.write(`${line}\n`),
  });
}

/** The first SIGINT or SIGTERM stops claiming, and giving up follows before the grace ends; a second one means now. */
function listenForSignals(graceMs: number, report: Report): { stop: AbortSignal; giveUp: AbortSignal } {
  const stop = new AbortController();
  const giveUp = new AbortController();
  void stopSignal().then((name) => {
    report.note(`${name}: finishing what is in hand`);
    stop.abort();
    setTimeout(() => giveUp.abort(), Math.max(0, graceMs - GIVE_BACK_MS)).unref();
    exitAfter(graceMs);
  });
  return { stop: stop.signal, giveUp: giveUp.signal };
}

runMain('consumer', main);
