import type { Logger } from 'pino';
import type { DatabaseOptions } from '../database/connect.ts';
import { isForPeople } from '../process/json-log.ts';
import type { ProducerConfig } from './config.ts';
import type { CloseOptions } from './http/close-server.ts';
import type { ListenOptions } from './http/server.ts';
import type { ProducerOptions } from './producer.ts';
import { createBodyLimits } from './routes/new-events-in-body.ts';

/** What the settings of a producer mean for each of its parts. */

export function toDatabaseOptions(config: ProducerConfig, log: Logger): DatabaseOptions {
  return {
    url: config.DATABASE_URL,
    statementTimeoutMs: config.DATABASE_TIMEOUT_MS,
    onAvailability: (available, error) =>
      available ? log.info('database is back') : log.warn({ reason: error?.message }, 'database lost, trying again'),
  };
}

export function toProducerOptions(config: ProducerConfig): Omit<ProducerOptions, 'db'> {
  return {
    logsAll: isForPeople(config),
    createBatch: config.CREATE_BATCH,
    createWaitMs: config.CREATE_WAIT_MS,
    payloadLimit: config.PAYLOAD_LIMIT,
    heldRequestLimit: config.WAITING_LIMIT,
    syncPollMs: config.SYNC_POLL_MS,
    idempotencyTtlMs: config.IDEMPOTENCY_TTL_MS,
    apiTokens: config.API_TOKENS,
    operatorTokens: config.OPERATOR_TOKENS,
    corsOrigins: config.CORS_ORIGINS,
  };
}

export function toListenOptions(config: ProducerConfig): ListenOptions {
  return {
    port: config.PORT,
    host: config.HOST,
    bodyLimits: createBodyLimits(config.PAYLOAD_LIMIT),
    // Beside those with a held request there must be some that ask.
    connectionLimit: config.WAITING_LIMIT + 5_000,
  };
}

/** Connections end half a second before the process, unless that leaves less than half a second for answers. */
export function toCloseOptions({ SHUTDOWN_GRACE_MS }: ProducerConfig): CloseOptions {
  return { graceMs: Math.max(500, SHUTDOWN_GRACE_MS - 500) };
}
