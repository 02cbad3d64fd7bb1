import type { DatabaseOptions } from '../database/connect.ts';
import { defineHandlers } from '../handlers/define-handlers.ts';
import type { BatchDefinition } from '../handlers/definition.ts';
import type { Handlers } from '../handlers/handlers.ts';
import { createWordHandler } from '../handlers/words.ts';
import { isForPeople } from '../process/json-log.ts';
import type { ConsumerConfig } from './config.ts';
import { type HandlerSource, loadHandlers, mergeHandlers } from './load-handlers.ts';
import type { ConsumerOptions } from './options.ts';
import { createJsonReport } from './report/json-report.ts';
import type { Report } from './report/report.ts';
import { createTerminalReport } from './report/terminal-report.ts';
import { webhookHandlers } from './webhook-handlers.ts';

// What is not finished is given back this long before the grace ends.
const GIVE_BACK_MS = 2_000;

export function createReport(config: ConsumerConfig): Report {
  if (!isForPeople(config)) return createJsonReport(config.LOG_LEVEL, config.CONSUMER_NAME);
  return createTerminalReport({
    quiet: config.quiet,
    verbose: config.verbose,
    write: (line) => process.stdout.write(`${line}\n`),
  });
}

export function toDatabaseOptions(config: ConsumerConfig, report: Report, signal: AbortSignal): DatabaseOptions {
  return {
    url: config.DATABASE_URL,
    statementTimeoutMs: config.DATABASE_TIMEOUT_MS,
    // Past its lease an event is not filled, and what was written for it is rolled back.
    transactionMs: Math.min(config.TRANSACTION_MS, config.LEASE_MS),
    // Past the lease a fill is refused anyway, so it is tried for that long, also when all connections are in use.
    retryMs: config.LEASE_MS,
    queueWaitMs: config.LEASE_MS,
    signal,
    onAvailability: (available, error) => (available ? report.databaseBack() : report.databaseLost(error)),
  };
}

export function toConsumerOptions(config: ConsumerConfig): Omit<ConsumerOptions, 'db' | 'handlers'> {
  return {
    name: config.CONSUMER_NAME,
    pollMs: config.CONSUMER_POLL_MS,
    once: config.once,
    leaseMs: config.LEASE_MS,
    logTtlMs: config.LOG_TTL_MS,
    finishMs: Math.max(0, config.SHUTDOWN_GRACE_MS - GIVE_BACK_MS),
  };
}

type WorkConfig = Omit<ConsumerConfig, 'once' | 'quiet' | 'verbose'>;

/** Of the module and the webhooks that were given; of words alone without any. Rejects with one sentence. */
export async function toHandlers(config: WorkConfig): Promise<Handlers> {
  const { handlers: file, webhooks, WEBHOOK_SECRETS: secrets } = config;
  const sources: HandlerSource[] = [];
  if (file !== undefined) sources.push({ from: file, handlers: await loadHandlers(file) });
  if (webhooks.length > 0) {
    const options = secrets.length > 0 ? { secret: secrets } : {};
    sources.push({ from: '--webhook', handlers: webhookHandlers(webhooks, options) });
  }
  return sources.length > 0 ? mergeHandlers(sources) : defineHandlers({ word: toWordHandler(config) });
}

function toWordHandler(config: WorkConfig): BatchDefinition {
  return {
    ...createWordHandler({ url: config.WORD_SERVICE_URL, attemptMs: config.WORD_ATTEMPT_MS }),
    batch: config.CONSUMER_BATCH,
    concurrency: config.CONSUMER_CONCURRENCY,
    attempts: config.MAX_ATTEMPTS,
    retryDelayMs: (failures) => config.RETRY_DELAY_MS * Math.min(2 ** (failures - 1), 60),
  };
}
