/** What a program of yours may use. Everything else may change without notice. */

export { type ConsumerOptions } from './consumer/options.ts';
export type { Report } from './consumer/report/report.ts';
export { runConsumer } from './consumer/run-consumer.ts';
export { connectDatabase, type Database, type DatabaseOptions } from './database/connect.ts';
export { DatabaseError, type DatabaseFault } from './database/database-error.ts';
export { type LogLine, type LogOutcome, type LogSearch, searchLog } from './database/events/log.ts';
export { InvalidEventError } from './database/events/new-event.ts';
export {
  type DeadPage,
  type EventDetails,
  listDead,
  type Revived,
  type ReviveOptions,
  reviveEvents,
  type ShownEvent,
  showEvent,
} from './database/events/operate.ts';
export { wake } from './database/events/wake.ts';
export { defineHandlers } from './handlers/define-handlers.ts';
export type {
  BatchDefinition,
  Definition,
  HandlerOptions,
  SingleDefinition,
  TransactionDefinition,
} from './handlers/definition.ts';
export {
  type HandlerContext,
  type HandlerEvent,
  type HandlerInput,
  type Json,
  type LogMode,
  SourceDownError,
  type Trace,
  type UserTransaction,
} from './handlers/handler.ts';
export type { Handlers } from './handlers/handlers.ts';
export { dead, done, later } from './handlers/outcome.ts';
export { type WebhookOptions, webhook } from './handlers/webhook.ts';
export { createWordHandler, type WordHandlerOptions } from './handlers/words.ts';
export { addToOutbox } from './producer/add-to-outbox.ts';
export { QueueFullError } from './producer/create-batcher.ts';
export type { CreatedEvent, CreateOptions, EventCreator, EventInput, WaitOptions } from './producer/event-creator.ts';
export { createProducer, type Producer, type ProducerOptions } from './producer/producer.ts';
